// What page and server say to each other: docs/studio-protocol.md. Heads of pictures, and points as differences.

export const PROTOCOL = 1;
export const UNIT = 16; // steps of a coordinate in one pixel of the paper
export const PRESSURE = 1023;
export const HEAD = 40; // bytes before a picture
export const UNDECIDED = 255; // of labels

export const Kind = Object.freeze({ sketch: 1, labels: 2, instances: 3, render: 4, variant: 5 });
export const Format = Object.freeze({ jpeg: 1, png: 2, deflate: 3 });
export const Flag = Object.freeze({ more: 1, fading: 2 });

const MAGIC = [0x49, 0x4e, 0x4b, 0x31];

/**
 * @typedef {object} Head
 * @property {number} kind
 * @property {number} format
 * @property {number} flags
 * @property {string} tag 16 hexadecimal digits
 * @property {number} sequence
 * @property {number} of
 * @property {number} document
 * @property {number} settings
 * @property {number} width
 * @property {number} height
 * @property {number} time milliseconds of the page's own clock
 */

/**
 * A point of a stroke: x and y in pixels of the paper, pressure from 0 to 1; then, where a pen leans, its tilt to x and
 * y in degrees.
 * @typedef {number[]} Point
 */

/** @param {Head} head @returns {Uint8Array} 40 bytes */
export function packHead(head) {
  const bytes = new Uint8Array(HEAD);
  const view = new DataView(bytes.buffer);
  bytes.set(MAGIC);
  view.setUint8(4, head.kind);
  view.setUint8(5, head.format);
  view.setUint16(6, head.flags, true);
  view.setBigUint64(8, BigInt(`0x${head.tag}`), true);
  view.setUint32(16, head.sequence, true);
  view.setUint32(20, head.of, true);
  view.setUint32(24, head.document, true);
  view.setUint32(28, head.settings, true);
  view.setUint16(32, head.width, true);
  view.setUint16(34, head.height, true);
  view.setUint32(36, head.time >>> 0, true);
  return bytes;
}

/** @param {ArrayBuffer} buffer @returns {Head | null} null: that is no picture */
export function unpackHead(buffer) {
  if (buffer.byteLength <= HEAD) return null;
  const view = new DataView(buffer);
  if (MAGIC.some((byte, at) => view.getUint8(at) !== byte)) return null;
  return {
    kind: view.getUint8(4),
    format: view.getUint8(5),
    flags: view.getUint16(6, true),
    tag: view.getBigUint64(8, true).toString(16).padStart(16, "0"),
    sequence: view.getUint32(16, true),
    of: view.getUint32(20, true),
    document: view.getUint32(24, true),
    settings: view.getUint32(28, true),
    width: view.getUint16(32, true),
    height: view.getUint16(34, true),
    time: view.getUint32(36, true),
  };
}

/** Rounded to what can be sent, so that a stroke looks the same when it is drawn again. @param {Point} point @returns {Point} */
export function rounded(point) {
  const [x, y, pressure, ...tilt] = point;
  return [
    Math.round(x * UNIT) / UNIT,
    Math.round(y * UNIT) / UNIT,
    Math.round(pressure * PRESSURE) / PRESSURE,
    ...tilt.map(Math.round),
  ];
}

/** Makes differences of the points of one stroke, in the order in which they come. */
export class PointWriter {
  #last = [0, 0, 0, 0];
  #lean = [0, 0];

  /**
   * @param {Point[]} points
   * @param {number[]} times milliseconds since the stroke began, one a point
   * @param {boolean} leaning whether tilt is written
   * @returns {{points: number[], tilt: number[]}}
   */
  write(points, times, leaning) {
    /** @type {number[]} */ const steps = [];
    /** @type {number[]} */ const tilt = [];
    points.forEach(([x, y, pressure, ...lean], at) => {
      const now = [Math.round(x * UNIT), Math.round(y * UNIT), Math.round(pressure * PRESSURE), Math.round(times[at])];
      now.forEach((value, part) => steps.push(value - this.#last[part]));
      this.#last = now;
      if (!leaning) return;
      const leans = [lean[0] ?? 0, lean[1] ?? 0];
      leans.forEach((value, part) => tilt.push(value - this.#lean[part]));
      this.#lean = leans;
    });
    return { points: steps, tilt };
  }
}

/** Reads them back, over all operations of one stroke. */
export class PointReader {
  #last = [0, 0, 0, 0];
  #lean = [0, 0];

  /** @param {number[]} steps @param {number[]} [tilt] @returns {Point[]} */
  read(steps, tilt = []) {
    /** @type {Point[]} */ const points = [];
    for (let at = 0; at + 3 < steps.length; at += 4) {
      this.#last = this.#last.map((value, part) => value + steps[at + part]);
      const [x, y, pressure] = this.#last;
      const point = [x / UNIT, y / UNIT, pressure / PRESSURE];
      if (tilt.length) {
        const of = at / 2;
        this.#lean = [this.#lean[0] + tilt[of], this.#lean[1] + tilt[of + 1]];
        point.push(...this.#lean);
      }
      points.push(point);
    }
    return points;
  }
}

/** A name for this life of the page. It is never kept: a tab that is duplicated would share it. @returns {string} */
export function newClient() {
  const bytes = crypto.getRandomValues(new Uint8Array(10));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
