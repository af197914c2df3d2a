// zlib, as the browser brings it, and base64.

/** @param {BufferSource} data @returns {Promise<Uint8Array>} */
export async function deflate(data) {
  return through(data, new CompressionStream("deflate"));
}

/** @param {BufferSource} data @returns {Promise<Uint8Array>} */
export async function inflate(data) {
  return through(data, new DecompressionStream("deflate"));
}

/** @param {BufferSource} data @param {CompressionStream | DecompressionStream} stream */
async function through(data, stream) {
  const body = /** @type {ReadableStream} */ (new Response(data).body);
  return new Uint8Array(await new Response(body.pipeThrough(stream)).arrayBuffer());
}

/** @param {Uint8Array} bytes @returns {string} */
export function toBase64(bytes) {
  let text = "";
  for (let at = 0; at < bytes.length; at += 8192) text += String.fromCharCode(...bytes.subarray(at, at + 8192));
  return btoa(text);
}

/** @param {string} text @returns {Uint8Array} */
export function fromBase64(text) {
  return Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
}
