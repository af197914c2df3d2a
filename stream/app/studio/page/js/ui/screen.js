// The render: beside the drawing, over it, behind a wipe, or alone.

import { h, t } from "./dom.js";

export class Screen extends HTMLElement {
  /** @param {import("../studio.js").Studio} studio */
  constructor(studio) {
    super();
    this.studio = studio;
    this.canvas = /** @type {HTMLCanvasElement} */ (h("canvas", { "aria-label": t("render"), role: "img" }));
    this.hint = h("p", { class: "hint" }, t("hint.render"));
    this.bar = h("div", { class: "progress", hidden: true }, h("i", {}));
    this.append(this.canvas, this.hint, this.bar);
    this.context = /** @type {CanvasRenderingContext2D} */ (this.canvas.getContext("2d"));
    /** @type {ImageBitmap | null} a picture of the history that is looked at */ this.past = null;
    new ResizeObserver(() => this.#place()).observe(this);
    studio.renders.addEventListener("render", () => this.draw());
    studio.view.addEventListener("change", () => this.#place());
    studio.addEventListener("session", () => this.#place());
    studio.addEventListener("status", () => this.#progress());
    // In over and wipe it lies above the paper: hands go through it. Beside, it moves with two fingers or the wheel too.
    this.addEventListener("wheel", (event) => this.#wheel(event), { passive: false });
  }

  /** The picture has its own size; the browser lays it where the paper lies beside it. */
  #place() {
    const { scale, left, top } = this.studio.view.place(this.clientWidth, this.clientHeight);
    const { width, height } = this.studio.raster.paper;
    const { style } = this.canvas;
    [style.width, style.height] = [`${width * scale}px`, `${height * scale}px`];
    style.transform = `translate(${left}px, ${top}px)`;
  }

  /** @param {ImageBitmap | null} picture null: what comes now */
  look(picture) {
    this.past = picture;
    this.draw();
  }

  draw() {
    const { context, canvas, studio } = this;
    const picture = this.past ?? studio.renders.bitmap;
    this.hint.hidden = picture !== null;
    canvas.classList.toggle("blank", picture === null);
    if (!picture) return;
    if (canvas.width !== picture.width || canvas.height !== picture.height) [canvas.width, canvas.height] = [picture.width, picture.height];
    context.drawImage(picture, 0, 0);
  }

  #progress() {
    const { state, done, finished } = this.studio.status;
    const share = state === "loading" ? done : finished;
    const shown = state === "loading" || finished != null;
    this.bar.hidden = !shown;
    this.bar.classList.toggle("unknown", shown && share == null);
    /** @type {HTMLElement} */ (this.bar.firstElementChild).style.width = share == null ? "" : `${Math.round(100 * share)}%`;
    this.hint.textContent = state === "loading" ? t("hint.loading") : t("hint.render");
  }

  /** @param {WheelEvent} event */
  #wheel(event) {
    event.preventDefault();
    const box = this.getBoundingClientRect();
    const factor = Math.exp(-event.deltaY / 500);
    this.studio.view.move(0, 0, factor, event.clientX - box.left, event.clientY - box.top, box.width, box.height);
  }
}

customElements.define("ink-screen", Screen);
