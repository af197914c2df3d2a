// The tooth of paper under a pencil: a tile of noise, the same everywhere.

const SIDE = 128;

/** @type {Uint8ClampedArray | null} */
let tile = null;
/** @type {Map<string, HTMLCanvasElement>} */
const tinted = new Map();

/** How much graphite each pixel takes. @returns {Uint8ClampedArray} */
function tooth() {
  if (tile) return tile;
  let state = 12345;
  const random = () => (state = (Math.imul(state, 1103515245) + 12345) >>> 0) / 2 ** 32;
  const noise = Float32Array.from({ length: SIDE * SIDE }, random);
  tile = new Uint8ClampedArray(SIDE * SIDE);
  const at = (/** @type {number} */ x, /** @type {number} */ y) => noise[((y + SIDE) % SIDE) * SIDE + ((x + SIDE) % SIDE)];
  for (let y = 0; y < SIDE; y += 1) {
    for (let x = 0; x < SIDE; x += 1) {
      const soft = (at(x, y) * 2 + at(x + 1, y) + at(x - 1, y) + at(x, y + 1) + at(x, y - 1)) / 6;
      tile[y * SIDE + x] = 255 * Math.min(1, 0.16 + 1.2 * soft);
    }
  }
  return tile;
}

/** @param {CanvasRenderingContext2D | OffscreenCanvasRenderingContext2D} context whose units are pixels of the paper @param {string} colour @param {number} scale @returns {CanvasPattern | string} */
export function grain(context, colour, scale) {
  let canvas = tinted.get(colour);
  if (!canvas) {
    canvas = document.createElement("canvas");
    canvas.width = canvas.height = SIDE;
    const inner = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
    const picture = inner.createImageData(SIDE, SIDE);
    const value = parseInt(colour.slice(1), 16);
    tooth().forEach((alpha, at) => picture.data.set([value >> 16, (value >> 8) & 255, value & 255, alpha], 4 * at));
    inner.putImageData(picture, 0, 0);
    if (tinted.size > 32) tinted.clear();
    tinted.set(colour, canvas);
  }
  const pattern = context.createPattern(canvas, "repeat");
  pattern?.setTransform(new DOMMatrix([1 / scale, 0, 0, 1 / scale, 0, 0]));
  return pattern ?? colour;
}
