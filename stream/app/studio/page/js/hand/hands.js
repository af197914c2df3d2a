// What a hand does on the paper: which tool draws with what, on which layer.

import { area } from "../drawing/fill.js";
import { pictureOfPaper } from "../drawing/compose.js";
import { dragOf } from "./placing.js";
import { Stroke } from "./stroke.js";

/** @typedef {import("../studio.js").Studio} Studio */
/** @typedef {import("../engine/protocol.js").Point} Point */

const ANGLE = Math.PI / 12; // of a line that Shift holds straight
const TOLERANCE = 40;
/** Marker and fill go under the lines, as paper and pencil would have it. */
const UNDER = new Set(["marker", "fill"]);

export class Hands {
  /** @param {Studio} studio */
  constructor(studio) {
    this.studio = studio;
    this.shift = false;
    /** @type {Point | null} */ this.from = null;
    /** @type {import("./placing.js").Drag | null} */ this.drag = null;
    this.time = 0;
  }

  get tool() {
    return this.studio.prefs.get("tool");
  }

  /** Which of the sizes counts. */
  get kind() {
    return this.studio.ofClass !== null && this.tool !== "eraser" ? "class" : this.tool;
  }

  /** In pixels of the paper. */
  get size() {
    const { width, height } = this.studio.raster.paper;
    return ((this.studio.prefs.get("sizes")[this.kind] ?? 6) * Math.max(width, height)) / 1000;
  }

  /** @param {string} tool @returns {string[]} layers that it draws on */
  layers(tool) {
    const { studio } = this;
    if (studio.layer !== "auto") return [studio.layer];
    if (tool === "eraser") {
      const there = studio.raster.layers.filter((layer) => layer.kind !== "photo" && !layer.gone && !layer.locked);
      return there.length ? there.map((layer) => layer.name) : ["sketch"];
    }
    if (studio.ofClass !== null) return ["labels"];
    return [UNDER.has(tool) ? "colour" : "sketch"];
  }

  /** Makes a layer that has to be there, in its place. @param {string} name */
  prepare(name) {
    const { raster } = this.studio;
    if (raster.layer(name) || !["colour", "labels"].includes(name)) return;
    const place = name === "labels" ? 0 : raster.layers.filter((layer) => layer.name === "labels" || layer.kind === "photo").length;
    this.studio.operate({ op: "layer", layer: name, kind: name, place });
    raster.sync();
  }

  /** @param {string} name @returns {boolean} */
  locked(name) {
    const layer = this.studio.raster.layer(name);
    return Boolean(layer && (layer.locked || !layer.visible || layer.kind === "photo"));
  }

  /**
   * @param {Point} point in pixels of the paper @param {number} time
   * @param {{pen: boolean, scale: number, erase: boolean}} how scale: pixels of the screen in one of the paper
   * @returns {boolean} whether a stroke began
   */
  down(point, time, { pen, scale, erase }) {
    const { studio } = this;
    this.drag = dragOf(studio, point, scale);
    if (this.drag) return true;
    const tool = erase ? "eraser" : this.tool;
    const layers = this.layers(tool).filter((name) => !this.locked(name));
    if (!layers.length) {
      studio.dispatchEvent(new CustomEvent("locked"));
      return false;
    }
    studio.undone = [];
    layers.forEach((name) => this.prepare(name));
    if (tool === "fill") {
      void this.fill(point, layers[0]);
      return false;
    }
    const group = layers.length > 1 ? `${time.toFixed(0)}` : "";
    this.from = point;
    studio.strokes = layers.map((layer) => {
      const stroke = new Stroke(this.#start(layer, tool, pen, scale, group), (fields) => studio.operate(fields, { live: fields.op === "begin" }));
      stroke.begin(point, time);
      return stroke;
    });
    this.time = time;
    studio.touch(time);
    return true;
  }

  /** @param {string} layer @param {string} tool @param {boolean} pen @param {number} scale @param {string} group @returns {import("./stroke.js").Start} */
  #start(layer, tool, pen, scale, group) {
    const { studio } = this;
    const { prefs, raster } = studio;
    const { width, height } = raster.paper;
    /** @type {Record<string, any>} */ const options = {};
    const symmetry = prefs.get("symmetry");
    if (symmetry) Object.assign(options, { symmetry, middle_x: width / 2, middle_y: height / 2 });
    if (group) options.group = group;
    const painted = studio.ofClass !== null && tool !== "eraser";
    const shape = tool === "eraser" ? "free" : prefs.get("shape");
    const fields = {
      layer,
      tool: painted ? "marker" : tool,
      shape,
      colour: prefs.get("colour"),
      size: Math.max(0.5, tool === "eraser" ? (prefs.get("sizes").eraser * Math.max(width, height)) / 1000 : this.size),
      opacity: prefs.get("opacities")[tool] ?? 1,
      pen,
      ...(painted ? { of_class: studio.ofClass, instance: studio.instance } : {}),
      options,
    };
    return { fields, stabiliser: prefs.get("stabiliser"), guides: studio.vanishing, scale };
  }

  /** What is seen of it, the caller draws first, and then says `touch`. @param {Point[]} points @param {number[]} times */
  move(points, times) {
    if (this.drag) {
      this.drag.move(points[points.length - 1]);
      return;
    }
    points.forEach((point, at) => {
      const held = this.shift && this.from ? straightened(this.from, point, this.studio.prefs.get("shape")) : point;
      for (const stroke of this.studio.strokes) stroke.add(held, times[at]);
    });
    this.time = times.at(-1) ?? this.time;
  }

  up() {
    this.drag?.up();
    this.drag = null;
    if (!this.studio.strokes.length) return;
    for (const stroke of this.studio.strokes) stroke.end(this.time);
    this.studio.strokes = [];
    this.studio.touch(this.time);
  }

  cancel() {
    this.drag?.cancel();
    this.drag = null;
    for (const stroke of this.studio.strokes) stroke.cancel();
    this.studio.strokes = [];
    this.studio.touch();
  }

  /** @param {Point} point @param {string} layer */
  async fill([x, y], layer) {
    const { studio } = this;
    const found = await area(pictureOfPaper(studio), x, y, TOLERANCE, 2);
    if (!found) return;
    const painted = studio.ofClass !== null ? { of_class: studio.ofClass, instance: studio.instance } : {};
    const colour = studio.prefs.get("colour");
    studio.operate({ op: "fill", layer, x, y, colour, tolerance: TOLERANCE, mask: found.mask, ...painted }, { bits: found.raw });
    studio.touch();
  }

  /** The colour that is seen at a place. @param {Point} point @returns {string | null} */
  pick([x, y]) {
    const { data, width, height } = pictureOfPaper(this.studio);
    if (x < 0 || y < 0 || x >= width || y >= height) return null;
    const at = 4 * (Math.floor(y) * width + Math.floor(x));
    return `#${[...data.slice(at, at + 3)].map((value) => value.toString(16).padStart(2, "0")).join("")}`;
  }
}

/** Shift: lines at whole angles, circles and squares. @param {Point} from @param {Point} to @param {string} shape @returns {Point} */
function straightened(from, to, shape) {
  const [dx, dy] = [to[0] - from[0], to[1] - from[1]];
  const [, , ...rest] = to;
  if (shape === "ellipse" || shape === "rectangle") {
    const side = Math.max(Math.abs(dx), Math.abs(dy));
    return [from[0] + side * Math.sign(dx || 1), from[1] + side * Math.sign(dy || 1), ...rest];
  }
  if (shape !== "line") return to;
  const angle = Math.round(Math.atan2(dy, dx) / ANGLE) * ANGLE;
  const length = Math.hypot(dx, dy);
  return [from[0] + length * Math.cos(angle), from[1] + length * Math.sin(angle), ...rest];
}
