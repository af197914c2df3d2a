// Packs pictures beside the page, so that no stroke waits for it: JPEG of the drawing, zlib of labels.

import { deflate } from "./flate.js";
import { Flag, Format, Kind, packHead } from "./protocol.js";

const QUALITY = 0.88;

/** @type {OffscreenCanvas | null} */
let canvas = null;

/** @param {ImageBitmap} bitmap @returns {Promise<ArrayBuffer>} */
async function jpeg(bitmap) {
  const { width, height } = bitmap;
  if (!canvas || canvas.width !== width || canvas.height !== height) canvas = new OffscreenCanvas(width, height);
  const context = /** @type {OffscreenCanvasRenderingContext2D} */ (canvas.getContext("2d", { alpha: false }));
  context.drawImage(bitmap, 0, 0);
  bitmap.close();
  const blob = await canvas.convertToBlob({ type: "image/jpeg", quality: QUALITY });
  return blob.arrayBuffer();
}

/** @param {Uint8Array} head @param {ArrayBuffer | Uint8Array} body @returns {ArrayBuffer} */
function joined(head, body) {
  const bytes = new Uint8Array(head.byteLength + body.byteLength);
  bytes.set(head);
  bytes.set(body instanceof Uint8Array ? body : new Uint8Array(body), head.byteLength);
  return bytes.buffer;
}

/** @param {any} data */
async function pack({ head, bitmap, labels, instances }) {
  const sketch = await jpeg(bitmap);
  const more = labels ? Flag.more : 0;
  const parts = [joined(packHead({ ...head, kind: Kind.sketch, format: Format.jpeg, flags: more }), sketch)];
  if (labels) {
    const flags = instances ? Flag.more : 0;
    parts.push(joined(packHead({ ...head, kind: Kind.labels, format: Format.deflate, flags }), await deflate(labels)));
  }
  if (labels && instances) {
    const bytes = new Uint8Array(instances.buffer); // little-endian, as all browsers' machines are
    parts.push(joined(packHead({ ...head, kind: Kind.instances, format: Format.deflate, flags: 0 }), await deflate(bytes)));
  }
  return parts;
}

self.onmessage = async ({ data }) => {
  try {
    const parts = await pack(data);
    self.postMessage({ turn: data.turn, parts }, { transfer: parts });
  } catch (error) {
    self.postMessage({ turn: data.turn, failed: String(error) });
  }
};
