// Classes a pixel, in an array of our own: a canvas would mix the numbers at every edge.

import { UNDECIDED } from "../engine/protocol.js";

/** @typedef {[number, number][]} Polygon */

/** What is painted, and which thing of its class each pixel is. */
export class Labels {
  /** @param {number} width @param {number} height */
  constructor(width, height) {
    this.width = width;
    this.height = height;
    this.classes = new Uint8Array(width * height).fill(UNDECIDED);
    /** @type {Uint16Array | null} */ this.instances = null;
  }

  /** @returns {Labels} */
  copy() {
    const made = new Labels(this.width, this.height);
    made.classes.set(this.classes);
    made.instances = this.instances?.slice() ?? null;
    return made;
  }

  /** @param {number} at @param {number} of @param {number} end @param {number} thing */
  #set(at, end, of, thing) {
    this.classes.fill(of, at, end);
    if (thing && !this.instances) this.instances = new Uint16Array(this.width * this.height);
    this.instances?.fill(thing, at, end);
  }

  /**
   * Fills a polygon (inside is what its outline turns around) with a class; UNDECIDED takes it away.
   * @param {Polygon} polygon in pixels of this array
   * @param {number} of
   * @param {number} thing
   */
  fill(polygon, of, thing) {
    let [top, bottom] = [Infinity, -Infinity];
    for (const [, y] of polygon) [top, bottom] = [Math.min(top, y), Math.max(bottom, y)];
    const first = Math.max(0, Math.ceil(top - 0.5));
    const last = Math.min(this.height - 1, Math.floor(bottom - 0.5));
    for (let row = first; row <= last; row += 1) {
      for (const [from, to] of spans(polygon, row + 0.5)) {
        const left = Math.max(0, Math.ceil(from - 0.5));
        const right = Math.min(this.width, Math.floor(to - 0.5) + 1);
        if (left < right) this.#set(row * this.width + left, row * this.width + right, of, thing);
      }
    }
  }

  /**
   * A line of a width, round at its ends.
   * @param {Polygon} line @param {number} width @param {number} of @param {number} thing
   */
  stroke(line, width, of, thing) {
    const radius = width / 2;
    line.forEach(([x, y], at) => {
      this.fill(disc(x, y, radius), of, thing);
      if (!at) return;
      const [x0, y0] = line[at - 1];
      const length = Math.hypot(x - x0, y - y0) || 1;
      const [nx, ny] = [(-(y - y0) / length) * radius, ((x - x0) / length) * radius];
      this.fill([[x0 + nx, y0 + ny], [x + nx, y + ny], [x - nx, y - ny], [x0 - nx, y0 - ny]], of, thing);
    });
  }

  /**
   * A mask of the paper.
   * @param {{x: number, y: number, width: number, height: number}} place @param {Uint8Array} bits
   * @param {number} scale pixels of this array in one of the paper
   * @param {number} of @param {number} thing
   */
  mask(place, bits, scale, of, thing) {
    const [top, left] = [Math.floor(place.y * scale), Math.floor(place.x * scale)];
    const [bottom, right] = [Math.ceil((place.y + place.height) * scale), Math.ceil((place.x + place.width) * scale)];
    for (let row = Math.max(0, top); row < Math.min(this.height, bottom); row += 1) {
      for (let column = Math.max(0, left); column < Math.min(this.width, right); column += 1) {
        const [x, y] = [Math.floor((column + 0.5) / scale) - place.x, Math.floor((row + 0.5) / scale) - place.y];
        if (x < 0 || y < 0 || x >= place.width || y >= place.height) continue;
        const bit = y * place.width + x;
        if (bits[bit >> 3] & (128 >> (bit & 7))) this.#set(row * this.width + column, row * this.width + column + 1, of, thing);
      }
    }
  }
}

/**
 * A stroke in classes.
 * @param {Labels} labels @param {Record<string, any>} op @param {import("./brushes.js").Figure[]} made in pixels of the paper
 * @param {number} scale pixels of the array in one of the paper
 */
export function labelled(labels, op, made, scale) {
  const of = op.tool === "eraser" ? UNDECIDED : (op.of_class ?? UNDECIDED);
  const thing = op.instance ?? 0;
  const scaled = (/** @type {Polygon} */ line) => /** @type {Polygon} */ (line.map(([x, y]) => [x * scale, y * scale]));
  for (const each of made) {
    if ("polygon" in each) labels.fill(scaled(each.polygon), of, thing);
    else {
      if (each.line.length > 2) labels.fill(scaled(each.line), of, thing);
      labels.stroke(scaled(each.line), each.width * scale, of, thing);
    }
  }
}

/** Where a line through a polygon is inside, by the rule of windings. @param {Polygon} polygon @param {number} y @returns {[number, number][]} */
function spans(polygon, y) {
  /** @type {[number, number][]} x, and whether the outline goes down there */ const crossings = [];
  polygon.forEach(([x1, y1], at) => {
    const [x0, y0] = polygon[(at + polygon.length - 1) % polygon.length];
    if (y0 <= y === y1 <= y) return;
    crossings.push([x0 + ((y - y0) / (y1 - y0)) * (x1 - x0), y1 > y0 ? 1 : -1]);
  });
  crossings.sort(([one], [other]) => one - other);
  /** @type {[number, number][]} */ const found = [];
  let [turns, from] = [0, 0];
  for (const [x, turn] of crossings) {
    if (turns === 0) from = x;
    turns += turn;
    if (turns === 0) found.push([from, x]);
  }
  return found;
}

/** @param {number} x @param {number} y @param {number} radius @returns {Polygon} */
function disc(x, y, radius) {
  return Array.from({ length: 16 }, (_, at) => [x + radius * Math.cos((Math.PI * at) / 8), y + radius * Math.sin((Math.PI * at) / 8)]);
}
