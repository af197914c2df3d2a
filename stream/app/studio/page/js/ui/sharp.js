// Under a magnifier lines stay sharp: what is seen is drawn once more, as large as it is seen, when the hand has stopped.

import { Raster } from "../drawing/raster.js";

const STILL = 180; // milliseconds without a change of the view
const LARGER = 1.2; // than the layers' own pixels, from which it is worth it
const MOST = 400; // strokes and fills; more would take too long for each view

/** @typedef {{scale: number, left: number, top: number, width: number, height: number}} Window pixels of the screen */

export class Sharp {
  /** @param {import("../studio.js").Studio} studio @param {() => Window} place @param {() => void} redraw */
  constructor(studio, place, redraw) {
    this.studio = studio;
    this.place = place;
    this.redraw = redraw;
    /** @type {Raster | null} */ this.raster = null;
    this.timer = 0;
    studio.drawing.addEventListener("change", (event) => {
      if (this.raster && /** @type {CustomEvent} */ (event).detail.from < this.raster.at) this.wait();
    });
  }

  /** Something has changed: it is drawn anew, a little later. */
  wait() {
    clearTimeout(this.timer);
    this.raster?.close();
    this.raster = null;
    this.timer = window.setTimeout(() => this.#make(), STILL);
  }

  #make() {
    const { studio } = this;
    const place = this.place();
    if (place.scale < LARGER * studio.raster.scales.screen || studio.drawing.items.length > MOST) return;
    if (studio.strokes.length) {
      this.wait();
      return;
    }
    this.raster = new Raster(studio.drawing, (name) => studio.images.get(name) ?? null, place);
    this.raster.classColour = studio.raster.classColour;
    this.raster.resize(studio.raster.size.width, studio.raster.size.height);
    this.redraw();
  }

  /** @param {CanvasRenderingContext2D} context @returns {boolean} whether it was drawn */
  draw(context) {
    if (!this.raster) return false;
    this.raster.sync();
    context.save();
    context.setTransform(1, 0, 0, 1, 0, 0);
    for (const layer of this.raster.layers) {
      if (!layer.visible || layer.gone) continue;
      context.globalAlpha = layer.opacity;
      context.drawImage(layer.canvas, 0, 0);
    }
    context.restore();
    return true;
  }
}
