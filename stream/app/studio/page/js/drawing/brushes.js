// From points under a pen to outlines: perfect-freehand, with the character of each tool.

import { getStroke } from "../../vendor/perfect-freehand/perfect-freehand.js";

/** @typedef {import("../engine/protocol.js").Point} Point */
/** @typedef {[number, number][]} Polygon */

/** @typedef {{thinning: number, smoothing: number, streamline: number, simulate: boolean, leans?: boolean}} Brush */

/** @type {Record<string, Brush>} */
const BRUSHES = {
  pencil: { thinning: 0.55, smoothing: 0.4, streamline: 0.25, simulate: false, leans: true },
  ink: { thinning: 0.6, smoothing: 0.5, streamline: 0.35, simulate: true },
  marker: { thinning: 0.05, smoothing: 0.5, streamline: 0.35, simulate: false },
  eraser: { thinning: 0.3, smoothing: 0.5, streamline: 0.3, simulate: false },
};
const UPRIGHT = 30; // degrees up to which a pencil draws with its tip

/**
 * How a stroke is to be seen: its outline, or a line of one width.
 * @typedef {{polygon: Polygon} | {line: Polygon, width: number}} Figure
 */

/**
 * @param {Record<string, any>} op that began the stroke
 * @param {Point[]} points
 * @param {boolean} done whether it is complete
 * @returns {Figure[]} more than one where it is mirrored
 */
export function figures(op, points, done) {
  if (!points.length) return [];
  const made = figure(op, points, done);
  const outlines = copies("polygon" in made ? made.polygon : made.line, op.options ?? {});
  return outlines.map((each) => ("polygon" in made ? { polygon: each } : { line: each, width: made.width }));
}

/** @param {Record<string, any>} op @param {Point[]} points @param {boolean} done @returns {Figure} */
function figure(op, points, done) {
  const [first, last] = [points[0], points[points.length - 1]];
  if (op.shape === "ellipse") return { line: ellipse(first, last), width: op.size };
  if (op.shape === "rectangle") return { line: rectangle(first, last), width: op.size };
  if (op.shape === "line") return { line: [xy(first), xy(last)], width: op.size };
  return { polygon: outline(op, points, done) };
}

/** @param {Record<string, any>} op @param {Point[]} points @param {boolean} done @returns {Polygon} */
function outline(op, points, done) {
  const brush = BRUSHES[op.tool] ?? BRUSHES.ink;
  const felt = Boolean(op.pen);
  const simulate = brush.simulate && !felt;
  const thinning = felt || simulate ? brush.thinning * (simulate ? 0.5 : 1) : 0;
  const taper = Number(op.options?.taper ?? 0) * op.size;
  const leaning = brush.leans && points[0].length > 3;
  const given = leaning ? points.map(leant) : points;
  // perfect-freehand's size is the width at half the pressure; ours is the one at all of it.
  const size = felt ? op.size / (1 + thinning) : op.size;
  return /** @type {Polygon} */ (
    getStroke(/** @type {any} */ (given), {
      size: leaning ? size * 2.5 : size, // at most five times as broad: a width is twice its size times the pressure
      thinning: leaning ? 1 : thinning,
      smoothing: brush.smoothing,
      streamline: brush.streamline,
      simulatePressure: simulate,
      last: done,
      start: { taper, cap: true },
      end: { taper, cap: true },
    })
  );
}

/** A pencil that lies flat draws broadly: its width as a pressure of a brush that is that much larger. @param {Point} point @returns {Point} */
function leant([x, y, pressure, tiltX = 0, tiltY = 0]) {
  const tilt = Math.min(90, Math.hypot(tiltX, tiltY));
  const flat = Math.max(0, tilt - UPRIGHT) / (90 - UPRIGHT);
  const width = (0.35 + 0.65 * pressure) * (1 + 4 * flat);
  return [x, y, Math.min(1, width / 5)];
}

/** @param {Point} point @returns {[number, number]} */
const xy = ([x, y]) => [x, y];

/** Within the rectangle between two corners. @param {Point} one @param {Point} other @returns {Polygon} */
function ellipse([x0, y0], [x1, y1]) {
  const [cx, cy, rx, ry] = [(x0 + x1) / 2, (y0 + y1) / 2, Math.abs(x1 - x0) / 2, Math.abs(y1 - y0) / 2];
  const steps = Math.max(24, Math.min(180, Math.round((rx + ry) / 2)));
  return Array.from({ length: steps + 1 }, (_, at) => {
    const angle = (2 * Math.PI * at) / steps;
    return /** @type {[number, number]} */ ([cx + rx * Math.cos(angle), cy + ry * Math.sin(angle)]);
  });
}

/** @param {Point} one @param {Point} other @returns {Polygon} */
function rectangle([x0, y0], [x1, y1]) {
  return [[x0, y0], [x1, y0], [x1, y1], [x0, y1], [x0, y0]];
}

/**
 * An outline, and its mirror images or turns about the middle that `options` ask for.
 * @param {Polygon} outline
 * @param {Record<string, any>} options symmetry: "x", "y", "xy" or a number of turns; middle_x, middle_y
 * @returns {Polygon[]}
 */
function copies(outline, options) {
  const symmetry = String(options.symmetry ?? "");
  if (!symmetry) return [outline];
  const [cx, cy] = [Number(options.middle_x), Number(options.middle_y)];
  const turned = (/** @type {(x: number, y: number) => [number, number]} */ move) =>
    outline.map(([x, y]) => {
      const [dx, dy] = move(x - cx, y - cy);
      return /** @type {[number, number]} */ ([cx + dx, cy + dy]);
    });
  const made = [outline];
  if (symmetry.includes("x")) made.push(turned((x, y) => [-x, y]));
  if (symmetry.includes("y")) made.push(turned((x, y) => [x, -y]));
  if (symmetry === "xy") made.push(turned((x, y) => [-x, -y]));
  for (let turn = 1; turn < Number(symmetry); turn += 1) {
    const angle = (2 * Math.PI * turn) / Number(symmetry);
    const [cos, sin] = [Math.cos(angle), Math.sin(angle)];
    made.push(turned((x, y) => [x * cos - y * sin, x * sin + y * cos]));
  }
  return made;
}

/** Puts figures on a canvas whose units are pixels of the paper. @param {CanvasRenderingContext2D | OffscreenCanvasRenderingContext2D} context @param {Figure[]} made @param {boolean} filled shapes are areas */
export function trace(context, made, filled = false) {
  for (const each of made) {
    context.beginPath();
    if ("polygon" in each) {
      smooth(context, each.polygon);
      context.fill();
      continue;
    }
    each.line.forEach(([x, y], at) => (at ? context.lineTo(x, y) : context.moveTo(x, y)));
    if (filled && each.line.length > 2) context.fill();
    context.lineWidth = each.width;
    context.lineCap = "round";
    context.lineJoin = "round";
    context.strokeStyle = context.fillStyle;
    context.stroke();
  }
}

/** Through the middles of an outline's sides. @param {CanvasRenderingContext2D | OffscreenCanvasRenderingContext2D} context @param {Polygon} polygon */
function smooth(context, polygon) {
  if (polygon.length < 3) return;
  const [[x0, y0], [x1, y1]] = polygon;
  context.moveTo((x0 + x1) / 2, (y0 + y1) / 2);
  for (let at = 1; at <= polygon.length; at += 1) {
    const [x, y] = polygon[at % polygon.length];
    const [nextX, nextY] = polygon[(at + 1) % polygon.length];
    context.quadraticCurveTo(x, y, (x + nextX) / 2, (y + nextY) / 2);
  }
  context.closePath();
}
