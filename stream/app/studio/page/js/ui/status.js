// What goes on, in people's words: a dot, a line, and more of it on demand.

import { h, openBeside, t } from "./dom.js";

/** What a state looks like: quiet, at work, or in need of somebody. */
const TONE = { live: "good", settling: "good", idle: "good", waiting: "calm", frozen: "calm", loading: "busy", warming: "busy" };
const SAID = 1500; // milliseconds between two things that a screen reader says

export class StatusPill extends HTMLElement {
  /** @param {import("../studio.js").Studio} studio */
  constructor(studio) {
    super();
    this.studio = studio;
    this.dot = h("i", { class: "dot" });
    this.line = h("span", { class: "line" });
    this.live = h("span", { class: "unseen", role: "status", "aria-live": "polite" });
    this.figures = h("dl", {});
    this.words = h("p", {});
    this.more = h("div", { class: "pop", popover: "auto", "aria-label": t("status") }, this.words, this.figures);
    this.pill = h("button", { type: "button", class: "pill", "aria-haspopup": "dialog", on: { click: () => openBeside(this.more, this.pill, "below") } }, this.dot, this.line);
    this.append(this.pill, this.live, this.more);
    this.said = "";
    this.timer = 0;
    for (const type of ["status", "link"]) studio.addEventListener(type, () => this.#show());
    this.#show();
  }

  /** @returns {{tone: string, short: string, long: string}} */
  #words() {
    const { connection, status } = this.studio;
    if (connection.link === "connecting") return { tone: "busy", short: t("state.connecting"), long: t("state.connecting") };
    if (connection.link === "cut") return { tone: "busy", short: t("state.cut"), long: t("state.cut.long") };
    if (connection.link === "ended") return { tone: "bad", short: t("state.ended"), long: connection.bye?.text ?? "" };
    const done = status.done == null ? "" : ` ${Math.round(100 * status.done)} %`;
    if (status.finishing || status.finished != null) {
      const share = status.finished == null ? "" : ` ${Math.round(100 * status.finished)} %`;
      return { tone: "busy", short: t("state.finishing") + share, long: status.finishing || t("state.finishing") };
    }
    const short = t(`state.${status.state}`) + (status.state === "loading" ? done : "");
    return { tone: /** @type {any} */ (TONE)[status.state] ?? "bad", short, long: status.text || short };
  }

  #show() {
    const { status, renders } = this.studio;
    const { tone, short, long } = this.#words();
    const live = this.studio.connection.link === "open" && ["live", "settling"].includes(status.state) && status.fps > 0.5;
    this.pill.dataset.tone = tone;
    this.line.textContent = live ? t("state.fps", { fps: Math.round(status.fps) }) : short;
    this.pill.setAttribute("aria-label", `${t("status")}: ${this.line.textContent}`); // what is seen of it is in its name
    this.words.textContent = long;
    const ways = [...renders.ways].sort((one, other) => one - other);
    const facts = [
      [t("figure.fps"), status.fps ? status.fps.toFixed(1) : "–"],
      [t("figure.latency"), status.latency_ms ? `${Math.round(status.latency_ms)} ms` : "–"],
      [t("figure.way"), ways.length ? `${Math.round(ways[ways.length >> 1])} ms` : "–"],
      [t("figure.viewers"), String(status.viewers ?? 0)],
    ];
    this.figures.replaceChildren(...facts.flatMap(([name, value]) => [h("dt", {}, name), h("dd", {}, value)]));
    this.#say(short);
  }

  /** Aloud, and not every second. @param {string} text */
  #say(text) {
    if (text === this.said) return;
    this.said = text;
    clearTimeout(this.timer);
    this.timer = window.setTimeout(() => (this.live.textContent = text), SAID);
  }
}

customElements.define("ink-status", StatusPill);
