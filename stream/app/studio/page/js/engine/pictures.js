// Pictures of the drawing on their way to the server: one at a time, and behind it always the newest.

/**
 * @typedef {object} Drawn what is sent of a drawing
 * @property {ImageBitmap} sketch as large as renders are
 * @property {Uint8Array | null} labels a class a pixel
 * @property {Uint16Array | null} instances
 */

/** Packs pictures in a worker and sends them, paced by `took`. */
export class Pictures {
  /**
   * @param {import("./connection.js").Connection} connection
   * @param {() => Drawn} compose draws what there is now
   * @param {() => {of: number, document: number}} facts what stands in the head besides
   * @param {() => number} pause milliseconds between two pictures, at least: more than are rendered only cost time
   */
  constructor(connection, compose, facts, pause = () => 0) {
    this.connection = connection;
    this.compose = compose;
    this.facts = facts;
    this.pause = pause;
    this.last = -Infinity;
    this.timer = 0;
    this.sequence = 0;
    this.time = 0;
    this.dirty = false;
    this.busy = false;
    this.turn = 0; // which connection it is: what an earlier one left behind does not count
    this.worker = new Worker(new URL("./picture-worker.js", import.meta.url), { type: "module" });
    this.worker.onmessage = ({ data }) => this.#packed(data);
    connection.addEventListener("took", () => {
      this.busy = false;
      this.#next();
    });
    connection.addEventListener("welcome", () => {
      this.turn += 1;
      this.busy = false;
      this.#next();
    });
  }

  /** Something was drawn. @param {number} [time] of its newest point, as performance.now() */
  touch(time = performance.now()) {
    this.time = time;
    this.dirty = true;
    this.#next();
  }

  #next() {
    if (!this.dirty || this.busy || this.timer || !this.connection.open) return;
    const wait = this.last + this.pause() - performance.now();
    if (wait <= 0) {
      this.#send();
      return;
    }
    this.timer = window.setTimeout(() => {
      this.timer = 0;
      this.#next();
    }, wait);
  }

  #send() {
    this.busy = true;
    this.dirty = false;
    this.last = performance.now();
    const { sketch, labels, instances } = this.compose();
    const tag = this.connection.welcome?.tag;
    const { width, height } = sketch;
    const head = { tag, sequence: ++this.sequence, settings: 0, width, height, time: Math.round(this.time), ...this.facts() };
    this.worker.postMessage({ turn: this.turn, head, bitmap: sketch, labels, instances }, [sketch]);
  }

  /** @param {{turn: number, parts?: ArrayBuffer[], failed?: string}} data */
  #packed({ turn, parts, failed }) {
    if (turn !== this.turn) return;
    if (parts) for (const part of parts) this.connection.picture(part);
    else {
      this.busy = false;
      console.warn(`inkstream: a picture of the drawing could not be packed: ${failed}`);
    }
  }
}
