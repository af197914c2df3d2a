// A hand that trembles less: the pen is pulled behind the pointer as if on a string.

/** @typedef {import("../engine/protocol.js").Point} Point */

const LONGEST = 40; // pixels of the screen, of the string at its strongest

export class Stabiliser {
  /** @param {number} strength 0 to 1 @param {number} scale pixels of the screen in one of the paper */
  constructor(strength, scale) {
    this.length = (strength * LONGEST) / scale;
    this.weight = 1 - 0.75 * strength;
    /** @type {Point | null} */ this.at = null;
    /** @type {Point | null} */ this.aim = null;
  }

  /** @param {Point} point @returns {Point | null} null: the pen stays where it is */
  next(point) {
    this.aim = point;
    if (!this.at || this.length === 0) {
      this.at = point;
      return point;
    }
    const [dx, dy] = [point[0] - this.at[0], point[1] - this.at[1]];
    const slack = Math.hypot(dx, dy) - this.length * 0.5;
    if (slack <= 0) return null;
    const share = (slack / Math.hypot(dx, dy)) * this.weight;
    const [, , pressure, ...tilt] = point;
    this.at = [this.at[0] + dx * share, this.at[1] + dy * share, this.at[2] + (pressure - this.at[2]) * 0.6, ...tilt];
    return this.at;
  }

  /** The rest of the way, when the pen is lifted. @returns {Point[]} */
  end() {
    if (!this.at || !this.aim || this.length === 0) return [];
    const [from, to] = [this.at, this.aim];
    if (Math.hypot(to[0] - from[0], to[1] - from[1]) < 0.5) return [];
    return [0.5, 1].map((share) => to.map((value, part) => (from[part] ?? value) + (value - (from[part] ?? value)) * share));
  }
}
