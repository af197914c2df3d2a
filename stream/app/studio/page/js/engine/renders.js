// Renders as they come: only this session's, only newer ones, acknowledged once they can be seen.

import { HEAD, Kind, unpackHead } from "./protocol.js";

const MEASURED = 600; // renders whose way is remembered

/** Events: "render" with `{bitmap, head}`, "variant" with `{bitmap, index}`. */
export class Renders extends EventTarget {
  /** @param {import("./connection.js").Connection} connection */
  constructor(connection) {
    super();
    this.connection = connection;
    this.sequence = 0;
    /** @type {ImageBitmap | null} */ this.bitmap = null;
    /** @type {import("./protocol.js").Head | null} */ this.head = null;
    /** @type {number[]} milliseconds from the newest point of a sketch to its render */ this.ways = [];
    this.dropped = 0;
    connection.addEventListener("picture", (event) => void this.#take(/** @type {CustomEvent} */ (event).detail));
    connection.addEventListener("welcome", () => (this.sequence = 0));
  }

  /** @param {ArrayBuffer} buffer */
  async #take(buffer) {
    const head = unpackHead(buffer);
    if (!head || head.tag !== this.connection.welcome?.tag) {
      this.dropped += 1;
      return;
    }
    if (head.kind === Kind.render && head.sequence <= this.sequence) {
      this.dropped += 1;
      this.#shown(head);
      return;
    }
    if (head.kind === Kind.render) this.sequence = head.sequence;
    const bitmap = await createImageBitmap(new Blob([buffer.slice(HEAD)], { type: "image/jpeg" })).catch(() => null);
    if (!bitmap) {
      if (head.kind === Kind.render) this.#shown(head); // damaged: the next one may come
      return;
    }
    if (head.kind === Kind.variant) {
      this.dispatchEvent(new CustomEvent("variant", { detail: { bitmap, index: head.of } }));
      return;
    }
    this.#show(bitmap, head);
  }

  /** @param {ImageBitmap} bitmap @param {import("./protocol.js").Head} head */
  #show(bitmap, head) {
    const isNew = head.time !== this.head?.time;
    this.bitmap?.close();
    [this.bitmap, this.head] = [bitmap, head];
    this.dispatchEvent(new CustomEvent("render", { detail: { bitmap, head } }));
    if (isNew && head.time) this.ways.push((performance.now() - head.time) >>> 0);
    if (this.ways.length > MEASURED) this.ways.shift();
    this.#shown(head);
  }

  /** @param {import("./protocol.js").Head} head */
  #shown({ sequence }) {
    this.connection.say({ type: "shown", sequence });
  }
}
