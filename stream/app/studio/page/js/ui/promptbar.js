// What it shall be: words, those that the model knows as chips, and better ones for those that it does not.

import { button, h, openBeside, t } from "./dom.js";

const QUIET = 300; // milliseconds without a key after which a prompt counts
const AGAIN = 500; // milliseconds, while a model is loaded
const REST = new Set(["grammar", "other", ""]);

export class PromptBar extends HTMLElement {
  /** @param {import("../studio.js").Studio} studio @param {Record<string, (event?: any) => void>} acts */
  constructor(studio, acts) {
    super();
    this.studio = studio;
    this.field = h("textarea", { id: "prompt", rows: 1, placeholder: t("prompt.hint"), spellcheck: false, autocomplete: "off", "aria-label": t("prompt"), maxLength: 2000 });
    this.chips = h("div", { class: "chips", role: "group", "aria-label": t("words") });
    this.pop = h("div", { class: "pop words", popover: "auto" });
    this.keepLook = button("star", t("look.keep"), acts.keepLook, { data: { wide: "" } });
    const tools = h(
      "div",
      { class: "group" },
      this.keepLook,
      button("seed", t("seed"), acts.seed, { key: "R" }),
      button("vary", t("vary"), acts.vary, { key: "T" }),
      button("keep", t("keep"), acts.keep, { key: "K", data: { wide: "" } }),
      button("finish", t("finish"), acts.finish, { class: "strong", text: t("finish") }),
    );
    this.append(h("div", { class: "line" }, this.field, tools), this.chips, this.pop);
    this.timer = 0;
    /** @type {[string, string][]} words that are not known, and better ones */ this.unknown = [];
    this.heard = "";
    this.again = 0;
    /** @type {string[]} what else is to be said of it */ this.remarks = [];
    this.field.addEventListener("input", () => this.#typed());
    this.field.addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => this.#key(event));
    studio.addEventListener("settings", () => this.#heard());
    studio.addEventListener("offers", () => this.#heard());
    studio.addEventListener("status", () => this.#show());
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    if (event.key === "Enter") {
      event.preventDefault();
      this.#send();
      if (!event.shiftKey) this.field.blur();
    } else if (event.key === "Escape") this.field.blur();
  }

  #typed() {
    clearTimeout(this.timer);
    this.timer = window.setTimeout(() => this.#send(), QUIET);
    this.#show();
  }

  #send() {
    clearTimeout(this.timer);
    this.timer = 0;
    void this.write(this.field.value);
  }

  /** @param {string} prompt */
  async write(prompt) {
    this.field.value = prompt;
    this.#show();
    await this.studio.set({ prompt }).catch((error) => this.studio.dispatchEvent(new CustomEvent("trouble", { detail: error })));
  }

  /** What the model makes of it. @param {string} text */
  async #read(text) {
    const said = await this.studio.connection.ask("read", { text }).catch((why) => {
      this.heard = ""; // so it is asked again with the next change
      if (why.code === "loading") this.again = window.setTimeout(() => this.#heard(), AGAIN);
    });
    if (!said) return;
    const remark = (/** @type {string} */ key, /** @type {string[]} */ words) => (words.length ? [t(key, { words: words.join(", ") })] : []);
    this.unknown = said.unknown;
    const taken = said.taken.map((/** @type {string[]} */ [word, meant]) => `${word} = ${meant}`);
    this.remarks = [...remark("words.taken", taken), ...remark("words.lost", said.lost), ...remark("words.added", said.added)];
    this.#show();
  }

  #heard() {
    const { prompt, seed, guessed } = this.studio.settings;
    const now = JSON.stringify([prompt, seed, guessed, this.studio.offers.model]);
    if (now !== this.heard && typeof prompt === "string" && this.studio.offers.model) {
      clearTimeout(this.again);
      this.heard = now;
      void this.#read(prompt);
    }
    const isTyping = document.activeElement === this.field || this.timer;
    if (!isTyping && typeof prompt === "string") this.field.value = prompt;
    this.#show();
  }

  /** The chips: what the prompt says of each thing that can be said, and what it does not say yet. */
  #show() {
    const { tags } = this.studio.offers;
    const prompt = this.field.value.toLowerCase();
    const chips = Object.entries(tags ?? {})
      .filter(([tag, words]) => !REST.has(tag) && words.length)
      .map(([tag, words]) => {
        const now = words.find((/** @type {string} */ word) => says(prompt, word));
        const chip = h("button", { type: "button", class: `chip ${now ? "said" : ""}`, "aria-haspopup": "menu", on: { click: () => this.#choose(tag, words, now, chip) } }, now ?? tag);
        chip.setAttribute("aria-label", now ? `${tag}: ${now}` : `${tag}: ${t("words.none")}`);
        return chip;
      });
    const better = this.unknown
      .filter(([word]) => says(prompt, word))
      .map(([word, instead]) =>
        h(
          "button",
          { type: "button", class: "chip unknown", title: t("words.unknown", { word }), on: { click: () => instead && this.write(replaced(this.field.value, word, instead)) } },
          instead ? `${word} → ${instead}` : `${word}?`,
        ),
      );
    const remarks = this.remarks.map((text) => h("span", { class: "added" }, text));
    const said = chips.filter((chip) => chip.classList.contains("said"));
    const open = chips.filter((chip) => !said.includes(chip));
    this.chips.replaceChildren(...better, ...said, ...remarks, ...open);
    this.chips.hidden = this.chips.childElementCount === 0;
    this.field.style.height = "auto";
    this.field.style.height = `${Math.min(96, this.field.scrollHeight)}px`;
  }

  /** @param {string} tag @param {string[]} words @param {string | undefined} now @param {HTMLElement} chip */
  #choose(tag, words, now, chip) {
    const pick = (/** @type {string} */ word) => {
      this.pop.hidePopover();
      const prompt = this.field.value.trim();
      if (word === now) void this.write(replaced(prompt, word, "").replace(/\s{2,}/g, " ").trim());
      else if (now) void this.write(replaced(prompt, now, word));
      else void this.write(prompt ? `${prompt} ${word}` : word);
    };
    this.pop.setAttribute("aria-label", tag);
    this.pop.replaceChildren(
      ...words.map((word) => h("button", { type: "button", class: "chip", "aria-pressed": String(word === now), on: { click: () => pick(word) } }, word)),
    );
    openBeside(this.pop, chip, "above");
    this.pop.querySelector("button")?.focus();
  }
}

/** @param {string} text @returns {RegExp} a whole word or words */
const whole = (text) => new RegExp(`(?<![\\p{L}\\p{N}])${text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")}(?![\\p{L}\\p{N}])`, "iu");
/** @param {string} prompt @param {string} word */
const says = (prompt, word) => whole(word).test(prompt);
/** @param {string} prompt @param {string} word @param {string} instead */
const replaced = (prompt, word, instead) => prompt.replace(whole(word), () => instead);

customElements.define("ink-prompt", PromptBar);
