// Operations that the server has not acknowledged, in the browser's own storage, so that a reload loses none.

const PREFIX = "inkstream.unkept";

/** @typedef {Record<string, any> & {number: number}} Op */

/** One entry an operation: writing one costs the same however many wait. */
export class Unkept {
  /** @param {string} session empty: it has no name yet @param {Storage | null} storage */
  constructor(session, storage) {
    this.session = session;
    this.storage = storage;
    /** Whether the storage took all of it. */
    this.safe = storage !== null;
  }

  /** @param {string} client @param {number} number */
  #key(client, number) {
    return `${PREFIX}/${this.session}/${client}/${number}`;
  }

  /** @param {string} client @param {Op} op */
  add(client, op) {
    try {
      this.storage?.setItem(this.#key(client, op.number), JSON.stringify(op));
    } catch {
      this.safe = false; // full, or forbidden: the page still has them, and says so
    }
  }

  /** @param {string} client @param {number} upTo */
  kept(client, upTo) {
    for (const { key, of, number } of this.#entries()) {
      if (of === client && number <= upTo) this.storage?.removeItem(key);
    }
  }

  /** By client, in order. @returns {Map<string, Op[]>} */
  all() {
    /** @type {Map<string, Op[]>} */ const found = new Map();
    for (const { key, of } of this.#entries()) {
      const op = read(this.storage?.getItem(key) ?? "");
      if (op) found.set(of, [...(found.get(of) ?? []), op]);
    }
    for (const ops of found.values()) ops.sort((one, other) => one.number - other.number);
    return found;
  }

  /** The drawing has a name now. @param {string} session */
  rename(session) {
    if (session === this.session) return;
    for (const { key, of, number } of this.#entries()) {
      const value = this.storage?.getItem(key) ?? "";
      this.storage?.removeItem(key);
      this.storage?.setItem(`${PREFIX}/${session}/${of}/${number}`, value);
    }
    this.session = session;
  }

  /** @returns {{key: string, of: string, number: number}[]} */
  #entries() {
    const start = `${PREFIX}/${this.session}/`;
    const keys = this.storage ? Array.from({ length: this.storage.length }, (_, at) => this.storage?.key(at) ?? "") : [];
    return keys
      .filter((key) => key.startsWith(start))
      .map((key) => {
        const [of, number] = key.slice(start.length).split("/");
        return { key, of, number: Number(number) };
      });
  }
}

/** @param {string} text @returns {Op | null} */
function read(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null; // cut off while it was written: it was never sent either
  }
}

/** @returns {Storage | null} null where a page may keep nothing */
export function browserStorage() {
  try {
    const storage = window.localStorage;
    storage.setItem(`${PREFIX}?`, "1");
    storage.removeItem(`${PREFIX}?`);
    return storage;
  } catch {
    return null;
  }
}
