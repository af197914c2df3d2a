// The layers of a drawing: what each is, and its pixels.

import { Labels } from "./labels.js";

/** @typedef {"sketch" | "colour" | "photo" | "labels"} LayerKind */

/**
 * Pixels in one of the paper; `window`: only what is seen of it, and where the paper lies in that.
 * @typedef {{screen: number, render: number, window?: {left: number, top: number, width: number, height: number}}} Scales
 */

/** @param {number} width @param {number} height @returns {CanvasRenderingContext2D} of a new canvas */
export function newCanvas(width, height) {
  const canvas = document.createElement("canvas");
  canvas.width = width;
  canvas.height = height;
  return /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
}

/** Its pixels are there twice: for the screen, and as small as a render, so that none is made smaller for every picture. */
export class Layer {
  /** @param {string} name @param {LayerKind} kind @param {number} width @param {number} height of the paper @param {Scales} scales */
  constructor(name, kind, width, height, scales) {
    this.name = name;
    this.kind = kind;
    this.title = "";
    this.opacity = 1;
    this.visible = true;
    this.locked = false;
    this.gone = false;
    this.scales = scales;
    const { screen, render, window } = scales;
    this.context = window ? newCanvas(window.width, window.height) : newCanvas(Math.round(width * screen), Math.round(height * screen));
    this.small = window ? null : newCanvas(Math.round(width * render), Math.round(height * render));
    /** @type {Labels | null} */ this.labels = null;
    /** @type {{factor: number, dx: number, dy: number} | null} where it is seen while it is moved */ this.shown = null;
  }

  get canvas() {
    return this.context.canvas;
  }

  /** Draws on both; the units are pixels of the paper. @param {(context: CanvasRenderingContext2D, scale: number) => void} paint */
  draw(paint) {
    const { screen, render, window } = this.scales;
    drawn(this.context, screen, window?.left ?? 0, window?.top ?? 0, paint);
    if (this.small) drawn(this.small, render, 0, 0, paint);
  }

  /** @returns {Layer} */
  copy() {
    const { screen } = this.scales;
    const made = new Layer(this.name, this.kind, this.canvas.width / screen, this.canvas.height / screen, this.scales);
    const { title, opacity, visible, locked, gone } = this;
    Object.assign(made, { title, opacity, visible, locked, gone });
    made.context.drawImage(this.canvas, 0, 0);
    if (this.small) made.small?.drawImage(this.small.canvas, 0, 0);
    made.labels = this.labels?.copy() ?? null;
    return made;
  }

  /** Takes everything off it. */
  wipe() {
    for (const context of [this.context, this.small]) context?.clearRect(0, 0, context.canvas.width, context.canvas.height);
    if (this.labels) this.labels = new Labels(this.labels.width, this.labels.height);
  }
}

/** @param {CanvasRenderingContext2D} context @param {number} scale @param {number} left @param {number} top @param {(context: CanvasRenderingContext2D, scale: number) => void} paint */
function drawn(context, scale, left, top, paint) {
  context.save();
  context.setTransform(scale, 0, 0, scale, left, top);
  paint(context, scale);
  context.restore();
}
