// The paper on the screen: everything that is drawn on one canvas, the stroke under the pen on another above it.

import { drawPaper, paintLive } from "../drawing/compose.js";
import { Hands } from "../hand/hands.js";
import { drawGuides, drawSymmetry } from "../hand/guides.js";
import { Pointers } from "../hand/pointer.js";
import { h, t } from "./dom.js";
import { Sharp } from "./sharp.js";

const MEASURED = 2000;

export class Stage extends HTMLElement {
  /** @param {import("../studio.js").Studio} studio */
  constructor(studio) {
    super();
    this.studio = studio;
    this.hands = new Hands(studio);
    this.base = /** @type {HTMLCanvasElement} */ (h("canvas", { class: "paper" }));
    this.top = /** @type {HTMLCanvasElement} */ (h("canvas", { class: "ink" }));
    this.hint = h("p", { class: "hint" }, t("hint.draw"));
    this.cursor = h("div", { class: "cursor", hidden: true });
    this.append(this.base, this.top, this.hint, this.cursor);
    this.setAttribute("role", "application");
    this.setAttribute("aria-label", t("stage"));
    this.tabIndex = 0;
    this.context = /** @type {CanvasRenderingContext2D} */ (this.base.getContext("2d", { alpha: true }));
    this.inkContext = /** @type {CanvasRenderingContext2D} */ (this.top.getContext("2d", { desynchronized: true }));
    this.sharp = new Sharp(studio, () => this.#window(), () => this.redraw());
    this.dirty = false;
    this.space = false;
    this.picking = false;
    /** @type {number[]} milliseconds from a pen's event to its ink */ this.inkTimes = [];
    /** @type {[number, number, number, number] | null} what is drawn of the ink canvas */ this.inked = null;
    this.pointers = new Pointers(this, {
      down: (sample, event) => this.#down(sample, event),
      move: (samples, predicted) => this.#move(samples, predicted),
      up: () => this.#finish(() => this.hands.up()),
      cancel: () => this.#finish(() => this.hands.cancel()),
      hover: (x, y) => this.#hover(x, y),
      gesture: (dx, dy, factor, x, y) => studio.view.move(dx, dy, factor, x, y, this.clientWidth, this.clientHeight),
      tap: (fingers) => void (fingers === 2 ? studio.undo() : studio.redo()),
      panning: () => this.space,
    });
    this.addEventListener("pointerleave", () => (this.cursor.hidden = true));
    new ResizeObserver(() => this.#resize()).observe(this);
    for (const type of ["drawing", "touched"]) studio.addEventListener(type, () => this.#inkOnly || this.redraw());
    for (const [source, type] of /** @type {[EventTarget, string][]} */ ([[studio, "session"], [studio, "layer"], [studio.view, "change"]])) {
      source.addEventListener(type, () => {
        this.sharp.wait();
        this.redraw();
      });
    }
    studio.prefs.addEventListener("change", () => this.redraw());
  }

  #resize() {
    const ratio = devicePixelRatio;
    for (const canvas of [this.base, this.top]) {
      canvas.width = Math.max(1, Math.round(this.clientWidth * ratio));
      canvas.height = Math.max(1, Math.round(this.clientHeight * ratio));
    }
    this.inked = null;
    this.sharp.wait();
    this.#draw();
  }

  /** What is seen of the paper, in pixels of the screen. */
  #window() {
    const ratio = devicePixelRatio;
    const { scale, left, top } = this.place;
    return { scale: scale * ratio, left: left * ratio, top: top * ratio, width: this.base.width, height: this.base.height };
  }

  get place() {
    return this.studio.view.place(this.clientWidth, this.clientHeight);
  }

  /** @param {{x: number, y: number, pressure: number, tilt: number[]}} sample @returns {number[]} */
  #point({ x, y, pressure, tilt }) {
    const { scale, left, top } = this.place;
    return [(x - left) / scale, (y - top) / scale, pressure, ...tilt];
  }

  /** @param {import("../hand/pointer.js").Sample} sample @param {PointerEvent} event */
  #down(sample, event) {
    const point = this.#point(sample);
    this.focus({ preventScroll: true });
    if (this.picking || event.altKey) {
      const colour = this.hands.pick(point);
      if (colour) this.dispatchEvent(new CustomEvent("picked", { detail: colour, bubbles: true }));
      this.picking = false;
      return false;
    }
    this.hands.shift = event.shiftKey;
    const pen = event.pointerType === "pen" || (event.pointerType === "touch" && sample.pressure !== 0.5);
    const began = this.hands.down(point, sample.time, { pen, scale: this.place.scale, erase: (event.buttons & 32) !== 0 });
    if (began) this.#ink([], sample.time);
    return began;
  }

  /** @param {import("../hand/pointer.js").Sample[]} samples @param {import("../hand/pointer.js").Sample[]} predicted */
  #move(samples, predicted) {
    if (samples.length) {
      this.hands.move(samples.map((each) => this.#point(each)), samples.map((each) => each.time));
    }
    this.#ink(predicted.map((each) => this.#point(each)), samples.at(-1)?.time ?? 0);
    if (samples.length && this.studio.strokes.length) this.studio.touch(this.hands.time);
  }

  /** @param {() => void} end */
  #finish(end) {
    end();
    this.redraw();
  }

  /** What is drawn at once: strokes that only add. @param {Record<string, any>} op */
  #isInk(op) {
    return op.tool !== "eraser" && op.of_class == null;
  }

  /** Whether nothing but ink under the pen has changed: then what lies below it stays. */
  get #inkOnly() {
    const { live } = this.studio.raster;
    return live.length > 0 && this.studio.strokes.length === live.length && live.every(({ op }) => this.#isInk(op) && this.#isOwn(op));
  }

  /** The stroke under the pen, now and not in the next frame. @param {number[][]} predicted @param {number} time */
  #ink(predicted, time) {
    const context = this.inkContext;
    this.#wipeInk();
    const strokes = this.studio.raster.live.filter((item) => item.client === this.studio.client && this.#isInk(item.op));
    if (!strokes.length) return;
    const ratio = devicePixelRatio;
    const { scale, left, top } = this.place;
    context.setTransform(scale * ratio, 0, 0, scale * ratio, left * ratio, top * ratio);
    const { width, height } = this.studio.raster.paper;
    context.save();
    context.beginPath();
    context.rect(0, 0, width, height);
    context.clip();
    const steady = this.studio.prefs.get("stabiliser") === 0 && !this.studio.vanishing.length;
    for (const item of strokes) paintLive(context, this.studio, item, scale * ratio, steady && item.op.shape === "free" ? predicted : []);
    context.restore();
    this.inked = [0, 0, this.top.width, this.top.height];
    if (time) this.inkTimes.push(performance.now() - time);
    if (this.inkTimes.length > MEASURED) this.inkTimes.shift();
  }

  #wipeInk() {
    if (!this.inked) return;
    this.inkContext.setTransform(1, 0, 0, 1, 0, 0);
    this.inkContext.clearRect(...this.inked);
    this.inked = null;
  }

  redraw() {
    if (this.dirty) return;
    this.dirty = true;
    requestAnimationFrame(() => {
      this.dirty = false;
      this.#draw();
    });
  }

  #draw() {
    const { studio, context } = this;
    studio.raster.sync();
    const ratio = devicePixelRatio;
    const { scale, left, top } = this.place;
    const { width, height, colour } = studio.raster.paper;
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, this.base.width, this.base.height);
    context.setTransform(scale * ratio, 0, 0, scale * ratio, left * ratio, top * ratio);
    context.imageSmoothingQuality = "high";
    context.fillStyle = colour;
    context.fillRect(0, 0, width, height);
    context.save();
    context.beginPath();
    context.rect(0, 0, width, height);
    context.clip();
    const drawing = studio.strokes.length > 0;
    const plain = studio.raster.live.every(({ op }) => this.#isInk(op) && this.#isOwn(op)) && !studio.raster.layers.some((layer) => layer.shown);
    if (!plain || !this.sharp.draw(context)) {
      const onTop = (/** @type {Record<string, any>} */ op) => drawing && this.#isInk(op) && this.#isOwn(op);
      drawPaper(context, studio, () => true, (op) => !onTop(op), { of: "screen", scale: scale * ratio, labelsToo: true });
    }
    if (studio.prefs.get("symmetry")) drawSymmetry(context, studio.prefs.get("symmetry"), studio.raster.paper, scale);
    context.restore();
    if (studio.vanishing.length) drawGuides(context, studio.vanishing, studio.raster.paper, scale);
    if (!drawing) this.#wipeInk();
    this.hint.hidden = !studio.drawing.empty || studio.connection.link !== "open";
  }

  /** @param {Record<string, any>} op */
  #isOwn(op) {
    return this.studio.strokes.some((stroke) => this.studio.drawing.named.get(stroke.name)?.op === op);
  }

  /** @param {number} x @param {number} y */
  #hover(x, y) {
    const size = this.hands.size * this.place.scale;
    const visible = !this.space && !["fill"].includes(this.hands.tool) && size > 5 && !this.pointers.gesturing;
    this.cursor.hidden = !visible;
    if (!visible) return;
    this.cursor.style.width = this.cursor.style.height = `${size}px`;
    this.cursor.style.transform = `translate(${x - size / 2}px, ${y - size / 2}px)`;
  }
}

customElements.define("ink-stage", Stage);
