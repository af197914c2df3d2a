// What is moved and not drawn: a photo that is the chosen layer, and vanishing points of the perspective.

import { gripOf } from "./guides.js";

/** @typedef {import("../studio.js").Studio} Studio */
/** @typedef {import("../engine/protocol.js").Point} Point */
/** @typedef {{move: (point: Point) => void, up: () => void, cancel: () => void}} Drag */

const NEAR = 22; // pixels of the screen within which a vanishing point is taken
const BEYOND = 3; // times as fast as the hand, a point beyond the paper
const SMALLEST = 8; // pixels of the paper

/** @param {Studio} studio @param {Point} point @param {number} scale pixels of the screen in one of the paper @returns {Drag | null} */
export function dragOf(studio, point, scale) {
  return vanishingDrag(studio, point, scale) ?? photoDrag(studio, point);
}

/** @param {Studio} studio @param {Point} point @param {number} scale @returns {Drag | null} */
function vanishingDrag(studio, [x, y], scale) {
  const grips = studio.vanishing.map((each) => gripOf(each, studio.raster.paper, scale));
  const at = grips.findIndex((grip) => Math.hypot(grip.x - x, grip.y - y) * scale < NEAR);
  if (at < 0) return null;
  const before = studio.vanishing.map((each) => ({ ...each }));
  const faster = grips[at].x === before[at].x ? 1 : BEYOND;
  const show = () => studio.dispatchEvent(new CustomEvent("touched"));
  return {
    move: ([toX, toY]) => {
      studio.vanishing.forEach((each, other) => (each.y = before[other].y + toY - y)); // they share a horizon
      studio.vanishing[at].x = before[at].x + faster * (toX - x);
      show();
    },
    up: show,
    cancel: () => {
      studio.vanishing = before;
      show();
    },
  };
}

/** Moves it; from near one of its corners, makes it larger or smaller about its middle. @param {Studio} studio @param {Point} from @returns {Drag | null} */
function photoDrag(studio, from) {
  const layer = studio.raster.layer(studio.layer);
  const item = studio.drawing.items.findLast(({ op, undone }) => op.op === "image" && op.layer === studio.layer && !undone);
  if (!item || layer?.kind !== "photo" || layer.locked || !layer.visible) return null;
  const { x, y, width, height } = item.op;
  const [cx, cy] = [x + width / 2, y + height / 2];
  const reach = Math.hypot(from[0] - cx, from[1] - cy);
  const grows = Math.abs(from[0] - cx) > 0.36 * width && Math.abs(from[1] - cy) > 0.36 * height;
  let [place, moved] = [{ x, y, width, height }, false];
  const show = () => studio.dispatchEvent(new CustomEvent("touched"));
  const end = () => {
    layer.shown = null;
    show();
  };
  return {
    move: (to) => {
      moved = true;
      const factor = grows ? Math.max(SMALLEST / Math.min(width, height), Math.hypot(to[0] - cx, to[1] - cy) / (reach || 1)) : 1;
      const [dx, dy] = grows ? [0, 0] : [to[0] - from[0], to[1] - from[1]];
      const [w, h] = [width * factor, height * factor];
      place = { x: cx + dx - w / 2, y: cy + dy - h / 2, width: w, height: h };
      layer.shown = { factor, dx: place.x - x * factor, dy: place.y - y * factor };
      show();
    },
    up: () => {
      end();
      if (!moved) return;
      const { op, layer: on, image, turn, opacity } = item.op;
      studio.operate({ op, layer: on, image, of: item.op.of ?? item.name, turn, opacity, ...place });
      studio.touch();
    },
    cancel: end,
  };
}
