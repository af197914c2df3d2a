// The layers of a drawing: what each is, and its pixels.

import { Labels } from "./labels.js";

/** @typedef {"sketch" | "colour" | "photo" | "labels"} LayerKind */

/** @typedef {{screen: number, render: number}} Scales pixels in one of the paper */

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
    this.context = newCanvas(Math.round(width * scales.screen), Math.round(height * scales.screen));
    this.small = newCanvas(Math.round(width * scales.render), Math.round(height * scales.render));
    /** @type {Labels | null} */ this.labels = null;
    /** @type {{factor: number, dx: number, dy: number} | null} where it is seen while it is moved */ this.shown = null;
  }

  get canvas() {
    return this.context.canvas;
  }

  /** Draws on both; the units are pixels of the paper. @param {(context: CanvasRenderingContext2D, scale: number) => void} paint */
  draw(paint) {
    for (const [context, scale] of /** @type {const} */ ([[this.context, this.scales.screen], [this.small, this.scales.render]])) {
      context.save();
      context.setTransform(scale, 0, 0, scale, 0, 0);
      paint(context, scale);
      context.restore();
    }
  }

  /** @returns {Layer} */
  copy() {
    const { screen } = this.scales;
    const made = new Layer(this.name, this.kind, this.canvas.width / screen, this.canvas.height / screen, this.scales);
    const { title, opacity, visible, locked, gone } = this;
    Object.assign(made, { title, opacity, visible, locked, gone });
    made.context.drawImage(this.canvas, 0, 0);
    made.small.drawImage(this.small.canvas, 0, 0);
    made.labels = this.labels?.copy() ?? null;
    return made;
  }

  /** Takes everything off it. */
  wipe() {
    for (const { canvas, context } of [this, { canvas: this.small.canvas, context: this.small }]) context.clearRect(0, 0, canvas.width, canvas.height);
    if (this.labels) this.labels = new Labels(this.labels.width, this.labels.height);
  }
}
