// Perspective: lines of the paper run to vanishing points, and a stroke may be held to them.

/** @typedef {import("../engine/protocol.js").Point} Point */
/** @typedef {{x: number, y: number}} Place */

const DECIDES = 10; // pixels of the screen after which a stroke has a direction
const LINES = 12;
const GRIP = 14; // pixels of the screen from the border, of what holds a point that lies beyond it

/** Vanishing points for a number of them. @param {number} count @param {{width: number, height: number}} paper @returns {Place[]} */
export function vanishing(count, { width, height }) {
  if (!count) return [];
  const horizon = height * 0.42;
  if (count === 1) return [{ x: width / 2, y: horizon }];
  return [{ x: -width * 0.18, y: horizon }, { x: width * 1.18, y: horizon }];
}

/** The directions in which lines run from a place. @param {Place[]} points @param {Point} from @returns {[number, number][]} of length 1 */
export function directions(points, [x, y]) {
  /** @type {[number, number][]} */ const found = points.map((to) => unit(to.x - x, to.y - y));
  found.push([0, 1]);
  if (points.length === 1) found.push([1, 0]);
  return found;
}

/** @param {number} x @param {number} y @returns {[number, number]} */
function unit(x, y) {
  const length = Math.hypot(x, y) || 1;
  return [x / length, y / length];
}

/** Holds a stroke to the direction that it took first. */
export class Rail {
  /** @param {Place[]} points @param {number} scale pixels of the screen in one of the paper */
  constructor(points, scale) {
    this.points = points;
    this.reach = DECIDES / scale;
    /** @type {Point | null} */ this.from = null;
    /** @type {[number, number] | null} */ this.way = null;
  }

  /** @param {Point} point @returns {Point | null} null: undecided, wait */
  next(point) {
    if (!this.points.length) return point;
    if (!this.from) {
      this.from = point;
      return point;
    }
    const [dx, dy] = [point[0] - this.from[0], point[1] - this.from[1]];
    if (!this.way) {
      if (Math.hypot(dx, dy) < this.reach) return null;
      const all = directions(this.points, this.from);
      const likeness = (/** @type {[number, number]} */ [x, y]) => Math.abs(x * dx + y * dy);
      this.way = all.reduce((best, each) => (likeness(each) > likeness(best) ? each : best));
    }
    const along = dx * this.way[0] + dy * this.way[1];
    const [, , ...rest] = point;
    return [this.from[0] + along * this.way[0], this.from[1] + along * this.way[1], ...rest];
  }
}

/** Thin lines to the vanishing points, over the drawing. @param {CanvasRenderingContext2D} context in pixels of the paper @param {Place[]} points @param {{width: number, height: number}} paper @param {number} scale */
export function drawGuides(context, points, { width, height }, scale) {
  context.save();
  context.beginPath();
  context.rect(0, 0, width, height);
  context.clip();
  context.lineWidth = 1 / scale;
  context.strokeStyle = "rgba(64, 132, 214, 0.4)";
  context.beginPath();
  const far = 4 * Math.max(width, height);
  for (const { x, y } of points) {
    for (let line = 0; line < LINES; line += 1) {
      const angle = (Math.PI * line) / LINES;
      context.moveTo(x - far * Math.cos(angle), y - far * Math.sin(angle));
      context.lineTo(x + far * Math.cos(angle), y + far * Math.sin(angle));
    }
  }
  context.stroke();
  context.strokeStyle = "rgba(64, 132, 214, 0.8)";
  context.beginPath();
  context.moveTo(-far, points[0]?.y ?? 0);
  context.lineTo(far, points[0]?.y ?? 0);
  context.stroke();
  context.restore();
  for (const point of points) {
    const { x, y } = gripOf(point, { width, height }, scale);
    handle(context, x, y, scale);
  }
}

/** Where a vanishing point is taken hold of: itself, or what is nearest to it on the paper. @param {Place} point @param {{width: number, height: number}} paper @param {number} scale @returns {Place} */
export function gripOf({ x, y }, { width, height }, scale) {
  const inside = GRIP / scale;
  return { x: Math.max(inside, Math.min(width - inside, x)), y: Math.max(inside, Math.min(height - inside, y)) };
}

/** @param {CanvasRenderingContext2D} context @param {number} x @param {number} y @param {number} scale */
function handle(context, x, y, scale) {
  context.save();
  context.beginPath();
  context.arc(x, y, 6 / scale, 0, 2 * Math.PI);
  context.fillStyle = "#ffffff";
  context.fill();
  context.lineWidth = 2 / scale;
  context.strokeStyle = "rgb(64, 132, 214)";
  context.stroke();
  context.restore();
}

/** Lines of symmetry. @param {CanvasRenderingContext2D} context @param {string} symmetry @param {{width: number, height: number}} paper @param {number} scale */
export function drawSymmetry(context, symmetry, { width, height }, scale) {
  context.save();
  context.lineWidth = 1 / scale;
  context.setLineDash([6 / scale, 5 / scale]);
  context.strokeStyle = "rgba(64, 132, 214, 0.7)";
  context.beginPath();
  if (symmetry.includes("x")) line(context, width / 2, 0, width / 2, height);
  if (symmetry.includes("y")) line(context, 0, height / 2, width, height / 2);
  const reach = Math.min(width, height) / 2;
  for (let turn = 0; turn < Number(symmetry); turn += 1) {
    const angle = (2 * Math.PI * turn) / Number(symmetry) - Math.PI / 2;
    line(context, width / 2, height / 2, width / 2 + reach * Math.cos(angle), height / 2 + reach * Math.sin(angle));
  }
  context.stroke();
  context.restore();
}

/** @param {CanvasRenderingContext2D} context @param {number} x0 @param {number} y0 @param {number} x1 @param {number} y1 */
function line(context, x0, y0, x1, y1) {
  context.moveTo(x0, y0);
  context.lineTo(x1, y1);
}
