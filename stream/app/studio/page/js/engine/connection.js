// The socket: says hello, comes again after a cut, answers questions, and never loses or repeats an operation.

import { PROTOCOL } from "./protocol.js";

const [SOON, LATER, SOONER] = [250, 2000, 40]; // milliseconds before it comes again: so many times soon, as a server is back in seconds
const MOST_OPS = 200; // of a message; the server takes 256
const MOST_LETTERS = 200_000;
const BETWEEN = 10; // milliseconds between two messages of operations

/** @typedef {import("./unkept.js").Op} Op */

/** Why something that was asked for was not done. */
export class Refused extends Error {
  /** @param {{code: string, field?: string, text: string}} answer */
  constructor(answer) {
    super(answer.text);
    this.code = answer.code;
    this.field = answer.field ?? "";
  }
}

/**
 * Events: each message under its `type`, with it as `detail`; "picture" with an ArrayBuffer; "link" with "connecting",
 * "open", "cut" or "ended" (and the `bye` before it).
 */
export class Connection extends EventTarget {
  /**
   * @param {object} given
   * @param {string} given.url
   * @param {string} given.client
   * @param {string | null} given.session null begins a new drawing
   * @param {"draw" | "view"} [given.role]
   * @param {string | null} [given.token]
   * @param {import("./unkept.js").Unkept | null} [given.unkept]
   */
  constructor({ url, client, session, role = "draw", token = null, unkept = null }) {
    super();
    this.url = url;
    this.client = client;
    this.session = session;
    this.role = role;
    this.token = token;
    this.unkept = unkept;
    /** Of the drawing, as far as the page has it. */
    this.revision = 0;
    /** @type {Record<string, any> | null} */ this.welcome = null;
    /** @type {"connecting" | "open" | "cut" | "ended"} */ this.link = "connecting";
    /** @type {Op[]} own operations that are not acknowledged */ this.waiting = [];
    this.sent = 0; // number of the last own operation that was sent on this socket
    this.number = 0;
    this.request = 0;
    this.tries = 0;
    /** @type {Map<number, {resolve: (result: any) => void, reject: (why: Error) => void}>} */ this.asked = new Map();
    /** @type {WebSocket | null} */ this.socket = null;
    /** @type {Record<string, any> | null} */ this.bye = null;
    this.timer = 0;
    this.flushing = 0;
    this.flushed = -BETWEEN;
  }

  start() {
    clearTimeout(this.timer);
    this.socket?.close();
    const socket = new WebSocket(this.url);
    socket.binaryType = "arraybuffer";
    this.socket = socket;
    this.bye = null;
    socket.onopen = () => {
      const { client, session, role, token, revision } = this;
      this.#write({ type: "hello", protocol: PROTOCOL, client, session, role, token, revision });
    };
    socket.onmessage = ({ data }) => {
      if (socket !== this.socket) return;
      if (typeof data === "string") this.#hear(JSON.parse(data));
      else this.dispatchEvent(new CustomEvent("picture", { detail: data }));
    };
    socket.onclose = (event) => {
      if (socket === this.socket) this.#cut(event.code);
    };
  }

  stop() {
    clearTimeout(this.timer);
    const socket = this.socket;
    this.socket = null;
    this.welcome = null;
    socket?.close();
    this.#state("ended");
  }

  get open() {
    return this.welcome !== null && this.socket?.readyState === WebSocket.OPEN;
  }

  /** Begins again at once, with whatever has changed: another session, a token. */
  restart() {
    this.tries = 0;
    this.welcome = null;
    this.#state("connecting");
    this.start();
  }

  /** Begins a new drawing, as another life of the page: its numbers begin again. @param {string} client */
  begin(client) {
    this.client = client;
    this.session = null;
    [this.revision, this.number, this.sent, this.waiting] = [0, 0, 0, []];
    if (this.unkept) this.unkept.session = "";
    this.restart();
  }

  /** @param {Record<string, any>} message @returns {boolean} whether it was sent */
  say(message) {
    if (!this.open) return false;
    this.#write(message);
    return true;
  }

  /** @param {ArrayBuffer | Uint8Array} data */
  picture(data) {
    if (this.open) this.socket?.send(/** @type {any} */ (data));
  }

  /**
   * @param {string} type
   * @param {Record<string, any>} [fields]
   * @returns {Promise<any>} of what the server answers; refused: with its reason
   */
  ask(type, fields = {}) {
    return new Promise((resolve, reject) => {
      const request = ++this.request;
      if (!this.say({ type, request, ...fields })) {
        reject(new Refused({ code: "offline", text: "" }));
        return;
      }
      this.asked.set(request, { resolve, reject });
    });
  }

  /** Numbers an operation, keeps it, and sends it. @param {Record<string, any>} fields @returns {Op} */
  operate(fields) {
    const op = /** @type {Op} */ ({ ...fields, number: ++this.number });
    this.waiting.push(op);
    this.unkept?.add(this.client, op);
    this.#flush();
    return op;
  }

  /** At once; what comes within a moment of it goes together, for a server counts messages. */
  #flush() {
    if (this.flushing) return;
    const wait = this.flushed + BETWEEN - performance.now();
    if (wait <= 0) {
      this.#send();
      return;
    }
    this.flushing = window.setTimeout(() => {
      this.flushing = 0;
      this.#send();
    }, wait);
  }

  #send() {
    if (!this.open) return;
    this.flushed = performance.now();
    const next = this.waiting.filter((op) => op.number > this.sent);
    for (const ops of portions(next)) this.#write({ type: "ops", client: this.client, ops });
    this.sent = next.at(-1)?.number ?? this.sent;
  }

  /** @param {Record<string, any>} message */
  #write(message) {
    if (this.socket?.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify(message));
  }

  /** @param {Record<string, any>} message */
  #hear(message) {
    if (message.type === "welcome") this.#welcomed(message);
    if (message.type === "kept") this.#kept(message.client, message.number);
    if (message.type === "missing") this.#missing(message.client, message.number);
    if (message.type === "bye") this.bye = message;
    if (message.type === "done") this.#answer(message.request)?.resolve(message.result);
    if (message.type === "settings" && message.request != null) this.#answer(message.request)?.resolve(message.values);
    if (message.type === "refused" && message.request != null) this.#answer(message.request)?.reject(new Refused(/** @type {any} */ (message)));
    this.dispatchEvent(new CustomEvent(message.type, { detail: message }));
    if (message.type === "welcome") this.#resume(message.kept);
  }

  /** @param {number} request */
  #answer(request) {
    const found = this.asked.get(request);
    this.asked.delete(request);
    return found;
  }

  /** @param {Record<string, any>} message */
  #welcomed(message) {
    this.welcome = message;
    this.tries = 0;
    if (message.session) {
      this.session = message.session;
      this.unkept?.rename(message.session);
    }
    this.#state("open");
  }

  /** What was drawn and is not on the server: of this life of the page, and of earlier ones. @param {number} kept */
  #resume(kept) {
    if (this.role === "view") return;
    this.#kept(this.client, kept);
    this.sent = kept;
    this.#send();
    for (const [client, ops] of this.unkept?.all() ?? []) {
      if (client === this.client) continue;
      for (const some of portions(ops)) this.#write({ type: "ops", client, ops: some });
    }
  }

  /** @param {string} client @param {number} number */
  #kept(client, number) {
    this.unkept?.kept(client, number);
    if (client === this.client) this.waiting = this.waiting.filter((op) => op.number > number);
  }

  /** @param {string} client @param {number} number */
  #missing(client, number) {
    if (client === this.client) {
      this.sent = number - 1;
      this.#flush();
      return;
    }
    const ops = (this.unkept?.all().get(client) ?? []).filter((op) => op.number >= number);
    if (ops[0]?.number === number) for (const some of portions(ops)) this.#write({ type: "ops", client, ops: some });
    else this.unkept?.kept(client, Infinity); // its beginning is nowhere any more: nobody could take the rest
  }

  /** @param {number} code of the closed socket */
  #cut(code) {
    this.welcome = null;
    for (const { reject } of this.asked.values()) reject(new Refused({ code: "offline", text: "" }));
    this.asked.clear();
    const bye = this.bye;
    if (bye && bye.retry === null) {
      this.#state("ended");
      return;
    }
    const pause = this.tries === 0 ? 0 : this.tries <= SOONER ? SOON : LATER;
    const wait = code === 4503 || bye?.code === "full" ? Math.max(pause, 1000 * (bye?.retry ?? 2)) : pause;
    this.tries += 1;
    this.#state("cut");
    this.timer = window.setTimeout(() => this.start(), wait);
  }

  /** @param {"connecting" | "open" | "cut" | "ended"} link */
  #state(link) {
    this.link = link;
    this.dispatchEvent(new CustomEvent("link", { detail: { link, bye: this.bye } }));
  }
}

/** What fits into one message each. @param {Op[]} ops @returns {Op[][]} */
function portions(ops) {
  /** @type {Op[][]} */ const made = [];
  let letters = Infinity;
  for (const op of ops) {
    const length = JSON.stringify(op).length + 1;
    const last = made.at(-1);
    if (!last || last.length >= MOST_OPS || letters + length > MOST_LETTERS) {
      made.push([op]);
      letters = length;
    } else {
      last.push(op);
      letters += length;
    }
  }
  return made;
}
