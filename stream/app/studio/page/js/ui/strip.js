// The history: what was seen, the newest first; one click looks at it, another goes back to its settings.

import { button, h, t } from "./dom.js";

const COUNT = 40;
const SIDE = 128;
const REST = 700; // milliseconds between two questions

export class Strip extends HTMLElement {
  /** @param {import("../studio.js").Studio} studio @param {import("./screen.js").Screen} screen */
  constructor(studio, screen) {
    super();
    this.studio = studio;
    this.screen = screen;
    this.list = h("div", { class: "moments", role: "listbox", "aria-label": t("history"), "aria-orientation": "horizontal" });
    this.now = h("button", { type: "button", class: "now", on: { click: () => this.leave() } }, t("history.now"));
    this.acts = h(
      "div",
      { class: "group", hidden: true },
      button("undo", t("history.back"), () => this.#rewind(), { text: t("history.back") }),
      button("keep", t("keep"), () => this.#ask("keep")),
      button("finish", t("finish"), () => this.#ask("finish")),
      this.now,
    );
    this.append(this.list, this.acts);
    /** @type {number | null} */ this.chosen = null;
    this.newest = -1;
    this.timer = 0;
    /** @type {Map<number, HTMLElement>} */ this.shown = new Map();
    studio.addEventListener("status", () => {
      if (studio.status.moment !== this.newest && !this.timer && !this.hidden) this.timer = window.setTimeout(() => this.#load(), REST);
    });
    this.list.addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => {
      const step = { ArrowRight: "nextElementSibling", ArrowLeft: "previousElementSibling" }[event.key];
      const to = step && /** @type {any} */ (document.activeElement)?.[step];
      if (to) (event.preventDefault(), to.focus(), to.click());
      if (event.key === "Escape") this.leave();
    });
  }

  async #load() {
    this.timer = 0;
    if (this.studio.strokes.length) return; // not while the hand is at work; the next status asks again
    this.newest = this.studio.status.moment;
    if (this.newest < 0) return;
    try {
      const found = await this.studio.api.json(this.studio.path(`history?count=${COUNT}`));
      await this.#show(found);
    } catch {
      // The strip is a convenience: it comes with the next moment.
    }
  }

  /** @param {{moment: number, prompt: string, at: number}[]} moments the newest first */
  async #show(moments) {
    const wanted = new Set(moments.map((each) => each.moment));
    for (const [moment, element] of this.shown) if (!wanted.has(moment)) (element.remove(), this.shown.delete(moment));
    for (const each of moments.filter((one) => !this.shown.has(one.moment)).reverse()) {
      const blob = await this.studio.api.blob(this.studio.path(`history/${each.moment}.jpg?side=${SIDE}`)).catch(() => null);
      if (!blob) continue;
      const image = h("img", { alt: each.prompt || t("history.moment"), draggable: false });
      const url = URL.createObjectURL(blob);
      image.onload = () => URL.revokeObjectURL(url);
      image.src = url;
      const one = h("button", { type: "button", class: "moment", role: "option", "aria-selected": "false", title: each.prompt, on: { click: () => void this.look(each.moment) } }, image);
      this.shown.set(each.moment, one);
      this.list.prepend(one);
    }
  }

  /** @param {number} moment */
  async look(moment) {
    this.chosen = moment;
    for (const [each, element] of this.shown) element.setAttribute("aria-selected", String(each === moment));
    this.acts.hidden = false;
    const blob = await this.studio.api.blob(this.studio.path(`history/${moment}.jpg`)).catch(() => null);
    if (blob && this.chosen === moment) this.screen.look(await createImageBitmap(blob));
  }

  /** Back to what comes now. */
  leave() {
    this.chosen = null;
    this.acts.hidden = true;
    for (const element of this.shown.values()) element.setAttribute("aria-selected", "false");
    this.screen.look(null);
  }

  /** @param {string} type */
  #ask(type) {
    void this.studio.connection.ask(type, { moment: this.chosen }).catch((error) => this.studio.dispatchEvent(new CustomEvent("trouble", { detail: error })));
  }

  #rewind() {
    this.#ask("rewind");
    this.leave();
  }

  /** It is seen now. */
  wake() {
    if (!this.timer) void this.#load();
  }
}

customElements.define("ink-strip", Strip);
