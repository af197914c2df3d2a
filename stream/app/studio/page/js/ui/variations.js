// Other settings tried on what is drawn, side by side; one click takes one.

import { h, icon, t } from "./dom.js";

const COUNT = 6;

export class Variations extends HTMLElement {
  /** @param {import("../studio.js").Studio} studio */
  constructor(studio) {
    super();
    this.studio = studio;
    this.grid = h("div", { class: "grid" });
    this.dialog = h(
      "dialog",
      { class: "sheet wide", "aria-label": t("vary"), tabIndex: -1 },
      h("header", {}, h("h2", {}, t("vary")), h("button", { type: "button", class: "button", "aria-label": t("close"), on: { click: () => this.dialog.close() } }, icon("close"))),
      this.grid,
    );
    this.append(this.dialog);
    /** @type {Map<number, {card: HTMLElement, canvas: HTMLCanvasElement, label: HTMLElement}>} */ this.cards = new Map();
    studio.addEventListener("variant", (event) => this.#heard(/** @type {CustomEvent} */ (event).detail));
    studio.renders.addEventListener("variant", (event) => {
      const { bitmap, index } = /** @type {CustomEvent} */ (event).detail;
      const { canvas } = this.#card(index);
      [canvas.width, canvas.height] = [bitmap.width, bitmap.height];
      canvas.getContext("2d")?.drawImage(bitmap, 0, 0);
      canvas.classList.remove("empty");
      bitmap.close();
    });
  }

  async begin() {
    this.cards.clear();
    this.grid.replaceChildren();
    for (let index = 0; index < COUNT; index += 1) this.#card(index);
    this.dialog.showModal();
    this.dialog.focus();
    try {
      await this.studio.connection.ask("vary", { count: COUNT });
    } catch (error) {
      this.dialog.close();
      this.studio.dispatchEvent(new CustomEvent("trouble", { detail: error }));
    }
  }

  /** @param {number} index */
  #card(index) {
    const known = this.cards.get(index);
    if (known) return known;
    const canvas = /** @type {HTMLCanvasElement} */ (h("canvas", { class: "empty", width: 256, height: 256 }));
    const label = h("span", {}, " ");
    const card = h("button", { type: "button", class: "card", disabled: true }, canvas, label);
    this.grid.append(card);
    const made = { card, canvas, label };
    this.cards.set(index, made);
    return made;
  }

  /** @param {Record<string, any>} message */
  #heard({ index, label, changes, text }) {
    const { card, label: line } = this.#card(index);
    line.textContent = text || label;
    /** @type {HTMLButtonElement} */ (card).disabled = Boolean(text);
    card.onclick = () => {
      this.dialog.close();
      void this.studio.set(changes).catch((error) => this.studio.dispatchEvent(new CustomEvent("trouble", { detail: error })));
    };
  }
}

customElements.define("ink-variations", Variations);
