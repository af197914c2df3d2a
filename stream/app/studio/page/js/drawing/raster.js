// Draws a drawing's operations into the canvases of its layers; goes back to a kept state where one of the past changes.

import { UNDECIDED } from "../engine/protocol.js";
import { figures, trace } from "./brushes.js";
import { maskCanvas } from "./fill.js";
import { grain } from "./grain.js";
import { Labels, labelled } from "./labels.js";
import { Layer } from "./layers.js";

const EVERY = 24; // items between two states that are kept
const STATES = 5; // how many are kept; older ones are drawn from the beginning
const FLAT = 40; // degrees from which a pencil shades
const FINE = 1280; // pixels that the longer side of a layer should have, so that ink is sharp on a screen

/** @typedef {import("./document.js").Item} Item */
/** @typedef {{at: number, layers: Layer[], paper: Paper}} State */
/** @typedef {{width: number, height: number, colour: string}} Paper */

export class Raster {
  /** @param {import("./document.js").Drawing} drawing @param {(name: string) => CanvasImageSource | null} images uploaded ones, once they are loaded @param {{scale: number, left: number, top: number, width: number, height: number} | null} [window] what is seen of the paper; null: all of it */
  constructor(drawing, images, window = null) {
    this.drawing = drawing;
    this.window = window;
    this.images = images;
    this.size = { width: 512, height: 512 };
    /** @type {Paper} */ this.paper = { ...this.size, colour: "#ffffff" };
    /** @type {Layer[]} the lowest first */ this.layers = [];
    /** @type {State[]} */ this.states = [];
    /** Items that are in the layers. */ this.at = 0;
    /** @type {(number: number) => string} of a class */ this.classColour = () => "#808080";
    this.follow = (/** @type {Event} */ event) => this.#back(/** @type {CustomEvent} */ (event).detail.from);
    drawing.addEventListener("change", this.follow);
  }

  /** It follows the drawing no more. */
  close() {
    this.drawing.removeEventListener("change", this.follow);
  }

  /** Pixels of a layer in one of the paper. @returns {import("./layers.js").Scales} */
  get scales() {
    const { window } = this;
    return { screen: window?.scale ?? this.#fine, render: this.size.width / this.paper.width, ...(window ? { window } : {}) };
  }

  get #fine() {
    const longer = Math.max(this.paper.width, this.paper.height);
    return Math.max(1, Math.min(4, FINE / longer));
  }

  /** Of renders, and of paper that nobody changed. @param {number} width @param {number} height */
  resize(width, height) {
    this.size = { width, height };
    this.restart();
  }

  restart() {
    this.states = [];
    this.#begin();
  }

  #begin() {
    this.paper = { ...this.size, colour: "#ffffff" };
    this.layers = [];
    this.at = 0;
  }

  /** What is drawn from here on has changed. @param {number} from */
  #back(from) {
    if (from >= this.at) return;
    this.states = this.states.filter((state) => state.at <= from);
    const state = this.states.at(-1);
    if (!state) {
      this.#begin();
      return;
    }
    this.layers = state.layers.map((layer) => layer.copy());
    this.paper = { ...state.paper };
    this.at = state.at;
  }

  /** Draws what is not drawn yet. @returns {boolean} whether there was anything */
  sync() {
    const before = this.at;
    const { items } = this.drawing;
    while (this.at < items.length && !items[this.at].live) {
      if (!items[this.at].undone) this.#draw(items[this.at]);
      this.at += 1;
      if (!this.window && this.at % EVERY === 0 && this.states.at(-1)?.at !== this.at) this.#keep();
    }
    return this.at !== before;
  }

  /** Strokes that are being drawn, and what came after them. @returns {Item[]} */
  get live() {
    return this.drawing.items.slice(this.at).filter((item) => !item.undone && item.op.op === "begin");
  }

  #keep() {
    this.states.push({ at: this.at, layers: this.layers.map((layer) => layer.copy()), paper: { ...this.paper } });
    // The newest ones are wanted most; one from long ago spares most of a long way.
    if (this.states.length > STATES) this.states.splice(1, 1);
  }

  /** @param {string} name @returns {Layer | undefined} */
  layer(name) {
    return this.layers.find((each) => each.name === name);
  }

  /** @param {string} name @param {import("./layers.js").LayerKind} kind @returns {Layer} */
  #made(name, kind) {
    const known = this.layer(name);
    if (known) return known;
    const layer = new Layer(name, kind, this.paper.width, this.paper.height, this.scales);
    if (kind === "labels" && !this.window) layer.labels = new Labels(this.size.width, this.size.height);
    this.layers.push(layer);
    return layer;
  }

  /** @param {Item} item */
  #draw({ op, points, bits }) {
    if (op.op === "begin") this.#stroke(this.#made(op.layer, op.of_class == null ? "sketch" : "labels"), op, points);
    else if (op.op === "fill") this.#fill(this.#made(op.layer, op.of_class == null ? "sketch" : "labels"), op, bits);
    else if (op.op === "image") this.#image(this.#made(op.layer, "photo"), op);
    else if (op.op === "layer") this.#change(op);
    else if (op.op === "clear") for (const layer of this.layers) if (!op.layer || op.layer === layer.name) layer.wipe();
    if (op.op === "paper") this.#resizePaper(op);
  }

  /** @param {Layer} layer @param {Record<string, any>} op @param {import("../engine/protocol.js").Point[]} points */
  #stroke(layer, op, points) {
    const made = figures(op, points, true);
    layer.draw((context, scale) => this.paint(context, op, made, this.window ? this.#fine : scale)); // the same grain
    if (layer.labels) labelled(layer.labels, op, made, this.scales.render);
  }

  /** A stroke on a canvas whose units are pixels of the paper. @param {CanvasRenderingContext2D | OffscreenCanvasRenderingContext2D} context @param {Record<string, any>} op @param {import("./brushes.js").Figure[]} made @param {number} scale */
  paint(context, op, made, scale) {
    const colour = op.of_class == null ? op.colour : this.classColour(op.of_class);
    context.save();
    context.globalAlpha = op.of_class == null ? (op.opacity ?? 1) * touch(op) : 1;
    context.fillStyle = op.tool === "pencil" && op.of_class == null ? grain(context, colour, scale) : colour;
    if (op.tool === "eraser") context.globalCompositeOperation = "destination-out";
    else if (op.tool === "marker" && op.of_class == null) context.globalCompositeOperation = "multiply";
    trace(context, made, op.of_class != null);
    context.restore();
  }

  /** @param {Layer} layer @param {Record<string, any>} op @param {Uint8Array | null} bits */
  #fill(layer, op, bits) {
    if (!op.mask || !bits) return;
    const colour = op.of_class == null ? op.colour : this.classColour(op.of_class);
    const { x, y, width, height } = op.mask;
    const mask = maskCanvas(op.mask, bits, colour);
    layer.draw((context) => {
      context.globalAlpha = op.opacity ?? 1;
      context.drawImage(mask, x, y, width, height);
    });
    layer.labels?.mask(op.mask, bits, this.scales.render, op.of_class ?? UNDECIDED, op.instance ?? 0);
  }

  /** @param {Layer} layer @param {Record<string, any>} op */
  #image(layer, op) {
    const picture = this.images(op.image);
    if (op.of) layer.wipe(); // it moves: one picture a layer
    if (!picture) return;
    layer.draw((context) => {
      context.translate(op.x + op.width / 2, op.y + op.height / 2);
      context.rotate((op.turn * Math.PI) / 180 || 0);
      context.globalAlpha = op.opacity ?? 1;
      context.imageSmoothingQuality = "high";
      context.drawImage(picture, -op.width / 2, -op.height / 2, op.width, op.height);
    });
  }

  /** @param {Record<string, any>} op */
  #change(op) {
    const layer = this.#made(op.layer, op.kind ?? "sketch");
    for (const part of /** @type {const} */ (["title", "opacity", "visible", "locked", "gone"])) {
      if (op[part] != null) /** @type {any} */ (layer)[part] = op[part];
    }
    if (op.place == null) return;
    this.layers = this.layers.filter((each) => each !== layer);
    this.layers.splice(op.place, 0, layer);
  }

  /** @param {Record<string, any>} op */
  #resizePaper(op) {
    this.paper = { width: op.width, height: op.height, colour: op.colour };
    if (this.window) return; // the view has changed with it, and so another window comes
    this.layers = this.layers.map((old) => {
      const made = new Layer(old.name, old.kind, op.width, op.height, this.scales);
      const { title, opacity, visible, locked, gone, labels } = old;
      Object.assign(made, { title, opacity, visible, locked, gone, labels });
      made.draw((context) => context.drawImage(old.canvas, 0, 0, old.canvas.width / old.scales.screen, old.canvas.height / old.scales.screen));
      return made;
    });
  }
}

/** How much of its colour a tool leaves: the side of a pencil less than its tip. @param {Record<string, any>} op */
function touch({ tool, tilt }) {
  if (tool !== "pencil") return 1;
  return Math.hypot(tilt?.[0] ?? 0, tilt?.[1] ?? 0) > FLAT ? 0.6 : 0.92;
}
