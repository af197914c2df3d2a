// The drawing: operations in the order of their revisions. Nothing here draws; raster.js does.

import { fromBase64, inflate } from "../engine/flate.js";
import { PointReader } from "../engine/protocol.js";

/** @typedef {import("../engine/protocol.js").Point} Point */

/**
 * What counts, or was undone.
 * @typedef {object} Item
 * @property {string} name
 * @property {string} client
 * @property {number} number
 * @property {number} revision Infinity: the server has not acknowledged it
 * @property {Record<string, any>} op
 * @property {boolean} undone
 * @property {number} toggled revision of the undo or redo that decided
 * @property {Point[]} points of a stroke
 * @property {boolean} live a stroke that is being drawn: not in the layers yet
 * @property {Uint8Array | null} bits of a fill's mask
 */

/** What an operation means that does not say it: the server leaves out what is so. @type {Record<string, Record<string, any>>} */
const DEFAULTS = {
  begin: { tool: "ink", shape: "free", colour: "#000000", size: 4, opacity: 1, pen: false, instance: 0, options: {} },
  fill: { colour: "#000000", opacity: 1, instance: 0, tolerance: 32 },
  image: { x: 0, y: 0, turn: 0, opacity: 1 },
  paper: { colour: "#ffffff" },
};
const KINDS = new Set(["begin", "fill", "image", "layer", "clear", "paper"]);
/** Those that a person means when they undo; the others come along by themselves. */
const MEANT = new Set(["begin", "fill", "image", "clear"]);
/** @param {Item} item */
const isMeant = ({ op }) => MEANT.has(op.op) || (op.op === "layer" && op.gone);

/** Events: "change" with `{from}`: items from this index on have to be drawn (again). */
export class Drawing extends EventTarget {
  /** @type {Item[]} */ items = [];
  /** @type {Map<string, Item>} */ named = new Map();
  /** @type {Map<string, PointReader>} */ #readers = new Map();
  /** @type {Set<string>} parts of strokes that are in them */ #parts = new Set();
  /** @type {Map<string, {of: string}>} undo and redo without a revision */ #toggles = new Map();
  /** @type {Set<string>} this page's names, now and before it was loaded again */ own = new Set();

  /** Forgets everything. */
  forget() {
    this.items = [];
    for (const each of [this.named, this.#readers, this.#parts, this.#toggles]) each.clear();
    this.#changed(0);
  }

  /**
   * Takes an operation; one that is known already only gets its revision.
   * @param {Record<string, any>} op
   * @param {string} client
   * @param {number} revision Infinity until the server said it
   * @param {{live?: boolean, bits?: Uint8Array | null}} [more]
   */
  take(op, client, revision, { live = false, bits = null } = {}) {
    const name = `${client}.${op.number}`;
    if (KINDS.has(op.op)) this.#begin(name, op, client, revision, live, bits);
    else if (op.op === "points") this.#points(name, op);
    else if (op.op === "end") this.#end(op.of);
    else this.#toggle(name, op, revision);
  }

  /** The server has operations of a client up to a number. @param {string} client @param {number} number @param {number} revision */
  kept(client, number, revision) {
    let from = Infinity;
    for (const item of [...this.items]) {
      if (item.client !== client || item.revision !== Infinity || item.number > number) continue;
      from = Math.min(from, this.#move(item, revision - (number - item.number)));
    }
    for (const [name, { of }] of this.#toggles) {
      const [whose, at] = name.split(".");
      if (whose !== client || Number(at) > number) continue;
      const item = this.named.get(of);
      if (item) item.toggled = revision - (number - Number(at));
      this.#toggles.delete(name);
    }
    if (from < Infinity) this.#changed(from);
  }

  /** The name of what undo would take back. @param {boolean} alone nobody else draws here @returns {string | null} */
  undoable(alone) {
    const counting = this.items.filter((item) => !item.undone && isMeant(item));
    const mine = counting.filter((item) => this.own.has(item.client));
    return (mine.at(-1) ?? (alone ? counting.at(-1) : undefined))?.name ?? null;
  }

  /** Whether anything can be seen. */
  get empty() {
    return !this.items.some((item) => !item.undone && MEANT.has(item.op.op));
  }

  /** Everything that counts, as operations of a new drawing, without numbers. @returns {{op: Record<string, any>, points: Point[]}[]} */
  whole() {
    return this.items
      .filter((item) => !item.undone && item.op.op !== "image")
      .map((item) => ({ op: item.op, points: item.points }));
  }

  /** @param {string} name @param {Record<string, any>} op @param {string} client @param {number} revision @param {boolean} live @param {Uint8Array | null} bits */
  #begin(name, op, client, revision, live, bits) {
    const known = this.named.get(name);
    if (known) {
      if (revision !== Infinity && known.revision === Infinity) {
        const from = this.#move(known, revision);
        if (from < Infinity) this.#changed(from);
      }
      return;
    }
    const points = op.op === "begin" ? this.#reader(name).read(op.points ?? [], op.tilt ?? []) : [];
    /** @type {Item} */
    const item = { name, client, number: op.number, revision, op: { ...DEFAULTS[op.op], ...op }, undone: false, toggled: -1, points, live, bits };
    const at = this.#place(item);
    this.items.splice(at, 0, item);
    this.named.set(name, item);
    this.#changed(at);
  }

  /** @param {string} name */
  #reader(name) {
    const reader = this.#readers.get(name) ?? new PointReader();
    this.#readers.set(name, reader);
    return reader;
  }

  /** @param {string} name @param {Record<string, any>} op */
  #points(name, op) {
    const item = this.named.get(op.of);
    if (!item || this.#parts.has(name)) return;
    this.#parts.add(name);
    for (const point of this.#reader(op.of).read(op.points, op.tilt ?? [])) item.points.push(point);
    this.#changed(this.items.indexOf(item));
  }

  /** @param {string} of */
  #end(of) {
    const item = this.named.get(of);
    this.#readers.delete(of);
    if (!item?.live) return;
    item.live = false;
    this.#changed(this.items.indexOf(item));
  }

  /** @param {string} name @param {Record<string, any>} op @param {number} revision */
  #toggle(name, op, revision) {
    const item = this.named.get(op.of);
    if (!item) return;
    if (revision === Infinity) this.#toggles.set(name, { of: op.of });
    else this.#toggles.delete(name);
    if (revision < item.toggled && item.toggled !== Infinity) return;
    item.toggled = revision;
    if (item.undone === (op.op === "undo")) return;
    item.undone = op.op === "undo";
    this.#changed(this.items.indexOf(item));
  }

  /** Where an item belongs. @param {Item} item */
  #place(item) {
    let at = this.items.length;
    while (at > 0 && after(this.items[at - 1], item)) at -= 1;
    return at;
  }

  /** Gives an item its revision. @param {Item} item @param {number} revision @returns {number} from where to draw again */
  #move(item, revision) {
    const was = this.items.indexOf(item);
    item.revision = revision;
    this.items.splice(was, 1);
    const at = this.#place(item);
    this.items.splice(at, 0, item);
    return at === was ? Infinity : Math.min(at, was);
  }

  /** @param {number} from */
  #changed(from) {
    if (from >= 0) this.dispatchEvent(new CustomEvent("change", { detail: { from } }));
  }
}

/** Whether one comes after the other. @param {Item} one @param {Item} other */
function after(one, other) {
  if (one.revision !== other.revision) return one.revision > other.revision;
  return one.client === other.client && one.number > other.number;
}

/** The mask of a fill, a bit a pixel. @param {Record<string, any>} op @returns {Promise<Uint8Array | null>} */
export async function maskOf(op) {
  if (op.op !== "fill" || !op.mask) return null;
  try {
    return await inflate(/** @type {any} */ (fromBase64(op.mask.bits)));
  } catch {
    return null; // not zlib: the fill is left out, the drawing is not
  }
}
