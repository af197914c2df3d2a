// One stroke while it is drawn: from samples to points to operations.

import { PointWriter, rounded } from "../engine/protocol.js";
import { Rail } from "./guides.js";
import { Stabiliser } from "./stabiliser.js";

const PAUSE = 100; // milliseconds between two operations of a stroke
const NEAR = 0.35; // pixels of the screen that a pen has to move for another point

/** @typedef {import("../engine/protocol.js").Point} Point */

/**
 * @typedef {object} Start
 * @property {Record<string, any>} fields of the operation that begins it
 * @property {number} stabiliser
 * @property {import("./guides.js").Place[]} guides
 * @property {number} scale pixels of the screen in one of the paper
 */

export class Stroke {
  /**
   * @param {Start} start
   * @param {(fields: Record<string, any>) => string} operate sends an operation; gives its name
   */
  constructor({ fields, stabiliser, guides, scale }, operate) {
    this.operate = operate;
    this.fields = fields;
    this.free = fields.shape === "free";
    this.stabiliser = new Stabiliser(this.free ? stabiliser : 0, scale);
    this.rail = new Rail(fields.shape === "ellipse" || fields.shape === "rectangle" ? [] : guides, scale);
    this.writer = new PointWriter();
    this.near = NEAR / scale;
    this.name = "";
    this.sent = -Infinity;
    this.began = 0;
    /** @type {Point[]} */ this.unsent = [];
    /** @type {number[]} */ this.times = [];
    /** @type {Point | null} */ this.last = null;
    this.leaning = false;
  }

  /** @param {Point} point @param {number} time */
  begin(point, time) {
    this.began = time;
    this.leaning = point.length > 3;
    this.stabiliser.next(point);
    this.rail.next(point);
    this.#add(point, time);
    const { points, tilt } = this.#write();
    this.name = this.operate({ op: "begin", ...this.fields, points, tilt });
    this.sent = time;
  }

  /** @param {Point} point @param {number} time */
  add(point, time) {
    const held = this.rail.next(point);
    const pulled = held && this.stabiliser.next(held);
    if (!pulled) return;
    if (this.last && this.free && Math.hypot(pulled[0] - this.last[0], pulled[1] - this.last[1]) < this.near) return;
    this.#add(pulled, time);
    if (time - this.sent >= PAUSE) this.flush(time);
  }

  /** @param {number} time */
  flush(time) {
    if (!this.unsent.length) return;
    if (!this.free) [this.unsent, this.times] = [this.unsent.slice(-1), this.times.slice(-1)];
    this.operate({ op: "points", of: this.name, ...this.#write() });
    this.sent = time;
  }

  /** @param {number} time */
  end(time) {
    for (const point of this.stabiliser.end()) this.#add(point, time);
    this.flush(time);
    this.operate({ op: "end", of: this.name });
  }

  /** It was none: it is taken back. */
  cancel() {
    this.operate({ op: "end", of: this.name });
    this.operate({ op: "undo", of: this.name });
  }

  /** What is not in an operation yet: seen at once. @returns {Point[]} */
  get ahead() {
    return this.free ? this.unsent : this.unsent.slice(-1);
  }

  /** @param {Point} point @param {number} time */
  #add(point, time) {
    const [x, y, pressure, ...tilt] = point;
    const made = rounded([x, y, pressure, ...(this.leaning ? [tilt[0] ?? 0, tilt[1] ?? 0] : [])]);
    this.last = made;
    this.unsent.push(made);
    this.times.push(Math.max(0, time - this.began));
  }

  #write() {
    const made = this.writer.write(this.unsent, this.times, this.leaning);
    [this.unsent, this.times] = [[], []];
    return made;
  }
}
