// Fill: an area that lines enclose, as a mask of the paper's pixels.

import { deflate, toBase64 } from "../engine/flate.js";

/** @typedef {{x: number, y: number, width: number, height: number, bits: string}} Mask */

const MOST_LETTERS = 65536; // of a mask in a message
const GAPS = 110; // a gap in a line is closed up to twice this part of the paper
const LEAK = 0.04; // of the paper: what more than that lies behind a gap, was not meant

/**
 * @param {ImageData} picture of the paper, a pixel a pixel
 * @param {number} x @param {number} y where it begins
 * @param {number} tolerance largest difference of a colour's parts, 0 to 255
 * @param {number} spread by how many pixels it grows under the lines around it
 * @returns {Promise<{mask: Mask, raw: Uint8Array} | null>} null: nothing is there
 */
export async function area(picture, x, y, tolerance, spread = 1) {
  const { width, height } = picture;
  const [startX, startY] = [Math.floor(x), Math.floor(y)];
  if (startX < 0 || startY < 0 || startX >= width || startY >= height) return null;
  const like = alike(picture, startY * width + startX, tolerance);
  let found = closed(like, startY * width + startX, width, height);
  for (let step = 0; step < spread; step += 1) found = grown(found, width, height);
  const { mask, raw } = packed(found, width, height);
  const bits = toBase64(await deflate(/** @type {any} */ (raw)));
  return bits.length > MOST_LETTERS ? null : { mask: { ...mask, bits }, raw };
}

/** Which pixels have the colour of one. @param {ImageData} picture @param {number} seed its index @param {number} tolerance @returns {Uint8Array} one a pixel */
function alike({ data, width, height }, seed, tolerance) {
  const [red, green, blue] = [data[4 * seed], data[4 * seed + 1], data[4 * seed + 2]];
  const made = new Uint8Array(width * height);
  for (let at = 0; at < made.length; at += 1) {
    const far = Math.max(Math.abs(data[4 * at] - red), Math.abs(data[4 * at + 1] - green), Math.abs(data[4 * at + 2] - blue));
    made[at] = far <= tolerance ? 1 : 0;
  }
  return made;
}

/**
 * What lines enclose, also where a hand left a small gap in them: lines are made thicker first, and the area grows back
 * to them afterwards.
 * @param {Uint8Array} like @param {number} seed @param {number} width @param {number} height @returns {Uint8Array}
 */
function closed(like, seed, width, height) {
  const plain = flood(like, seed, width, height);
  const gap = Math.round(Math.max(width, height) / GAPS);
  let lines = like.map((is) => 1 - is);
  for (let step = 0; step < gap; step += 1) lines = grown(lines, width, height);
  if (lines[seed]) return plain; // between two lines that are that close
  let found = flood(lines.map((is) => 1 - is), seed, width, height);
  for (let step = 0; step <= gap; step += 1) found = grown(found, width, height).map((is, at) => is & like[at]);
  const held = count(plain) - count(found);
  return held > LEAK * width * height ? found : plain; // no more than corners is missing: there was no gap
}

/** @param {Uint8Array} inside */
const count = (inside) => inside.reduce((sum, is) => sum + is, 0);

/** Row by row. @param {Uint8Array} like @param {number} seed @param {number} width @param {number} height @returns {Uint8Array} one a pixel: 1 is inside */
function flood(like, seed, width, height) {
  const inside = new Uint8Array(width * height);
  const fits = (/** @type {number} */ at) => like[at] === 1 && inside[at] === 0;
  const open = [seed];
  while (open.length) {
    const at = /** @type {number} */ (open.pop());
    if (!fits(at)) continue;
    const row = at - (at % width);
    let [left, right] = [at, at];
    while (left > row && fits(left - 1)) left -= 1;
    while (right < row + width - 1 && fits(right + 1)) right += 1;
    inside.fill(1, left, right + 1);
    for (const next of [-width, width]) {
      if (left + next < 0 || left + next >= width * height) continue;
      for (let place = left + next; place <= right + next; place += 1) {
        if (fits(place) && (place === left + next || !fits(place - 1))) open.push(place);
      }
    }
  }
  return inside;
}

/** @param {Uint8Array} inside @param {number} width @param {number} height */
function grown(inside, width, height) {
  const made = inside.slice();
  for (let at = 0; at < inside.length; at += 1) {
    if (!inside[at]) continue;
    const column = at % width;
    if (column > 0) made[at - 1] = 1;
    if (column < width - 1) made[at + 1] = 1;
    if (at >= width) made[at - width] = 1;
    if (at < width * (height - 1)) made[at + width] = 1;
  }
  return made;
}

/** A bit a pixel, of the rectangle that is not empty. @param {Uint8Array} inside @param {number} width @param {number} height */
function packed(inside, width, height) {
  let [left, top, right, bottom] = [width, height, 0, 0];
  inside.forEach((is, at) => {
    if (!is) return;
    const [x, y] = [at % width, Math.floor(at / width)];
    [left, top, right, bottom] = [Math.min(left, x), Math.min(top, y), Math.max(right, x), Math.max(bottom, y)];
  });
  const mask = { x: left, y: top, width: right - left + 1, height: bottom - top + 1 };
  const raw = new Uint8Array(Math.ceil((mask.width * mask.height) / 8));
  for (let y = 0; y < mask.height; y += 1) {
    for (let x = 0; x < mask.width; x += 1) {
      const bit = y * mask.width + x;
      if (inside[(top + y) * width + left + x]) raw[bit >> 3] |= 128 >> (bit & 7);
    }
  }
  return { mask, raw };
}

/** A mask as a canvas of one colour. @param {{width: number, height: number}} mask @param {Uint8Array} bits @param {string} colour #rrggbb @returns {HTMLCanvasElement} */
export function maskCanvas({ width, height }, bits, colour) {
  const canvas = document.createElement("canvas");
  canvas.width = width;
  canvas.height = height;
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  const picture = context.createImageData(width, height);
  const value = parseInt(colour.slice(1), 16);
  for (let at = 0; at < width * height; at += 1) {
    if (bits[at >> 3] & (128 >> (at & 7))) picture.data.set([value >> 16, (value >> 8) & 255, value & 255, 255], 4 * at);
  }
  context.putImageData(picture, 0, 0);
  return canvas;
}
