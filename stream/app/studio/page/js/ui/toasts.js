// What people should know for a while: at the bottom, quietly, and said aloud.

import { h, icon, t } from "./dom.js";

const STAYS = 6000;
const MOST = 3;

export class Toasts extends HTMLElement {
  connectedCallback() {
    this.setAttribute("role", "log");
    this.setAttribute("aria-live", "polite");
    this.setAttribute("aria-label", t("notices"));
  }

  /** @param {string} text @param {{good?: boolean, act?: {label: string, run: () => void}}} [more] */
  say(text, { good = false, act } = {}) {
    if (!text || /** @type {HTMLElement} */ (this.lastElementChild)?.dataset.text === text) return;
    const away = () => one.remove();
    const one = h(
      "div",
      { class: `toast ${good ? "good" : ""}`, data: { text } },
      h("p", {}, text),
      act && h("button", { type: "button", class: "button text", on: { click: () => (act.run(), away()) } }, act.label),
      h("button", { type: "button", class: "tiny", "aria-label": t("close"), on: { click: away } }, icon("close")),
    );
    this.append(one);
    while (this.childElementCount > MOST) this.firstElementChild?.remove();
    setTimeout(away, act ? 2 * STAYS : STAYS);
  }
}

customElements.define("ink-toasts", Toasts);
