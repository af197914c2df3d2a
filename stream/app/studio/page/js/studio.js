// The studio without its looks: connection, drawing, pictures and renders together, and what can be done with them.

import { maskOf, Drawing } from "./drawing/document.js";
import { Raster } from "./drawing/raster.js";
import { Api } from "./engine/api.js";
import { Connection } from "./engine/connection.js";
import { Pictures } from "./engine/pictures.js";
import { PointWriter, newClient } from "./engine/protocol.js";
import { vanishing } from "./hand/guides.js";
import { Renders } from "./engine/renders.js";
import { Unkept, browserStorage } from "./engine/unkept.js";
import { View } from "./ui/view.js";
import { composed } from "./drawing/compose.js";

const SETTLED = 200; // milliseconds without operations after which what has come is all there is
const SLOWEST = 70; // milliseconds between two pictures of the drawing, where rendering takes long
const PORTION = 4000; // points of an operation
const STEP = 8; // milliseconds between two points of a stroke whose times are not known any more
const LIVES = 20; // of this page, whose strokes it still calls its own

/** Events: "link", "status", "offers", "settings", "drawing", "notice", "saved", "variant", "session". */
export class Studio extends EventTarget {
  /** @param {{session: string | null, token: string | null, prefs: import("./prefs.js").Prefs}} given */
  constructor({ session, token, prefs }) {
    super();
    this.prefs = prefs;
    this.api = new Api(token);
    this.storage = browserStorage();
    this.client = newClient();
    const unkept = new Unkept(session ?? "", this.storage);
    const url = `${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/ws`;
    this.connection = new Connection({ url, client: this.client, session, token, unkept });
    this.drawing = new Drawing();
    /** @type {Map<string, ImageBitmap | null>} */ this.images = new Map();
    this.raster = new Raster(this.drawing, (name) => this.#image(name));
    this.view = new View();
    this.renders = new Renders(this.connection);
    /** @type {import("./hand/stroke.js").Stroke[]} */ this.strokes = [];
    /** @type {string[]} what was undone and may come again */ this.undone = [];
    /** @type {Record<string, any>} */ this.status = { state: "loading", text: "", done: null, fps: 0, latency_ms: 0, notes: [], moment: -1 };
    /** @type {Record<string, any>} */ this.offers = { words: [], tags: {}, styles: [], classes: [], presets: [] };
    /** @type {Record<string, any>} */ this.settings = {};
    /** @type {Promise<void>} what was heard is taken in order, also where a mask has to be unpacked */ this.taking = Promise.resolve();
    /** @type {number | null} class that is painted; null: colours are */ this.ofClass = null;
    this.instance = 0;
    /** Whether the pictures come from another program: then nothing is drawn here. */ this.elsewhere = false;
    this.layer = "auto";
    /** @type {import("./hand/guides.js").Place[]} of the perspective */ this.vanishing = [];
    prefs.addEventListener("change", (event) => /** @type {CustomEvent} */ (event).detail === "guides" && this.#perspective());
    this.settling = 0;
    /** Whether operations that the server lacks are to be taken once all others are here. */ this.lacking = true;
    const facts = () => ({ of: this.renders.sequence, document: this.connection.revision });
    const pause = () => (this.status.fps > 0 ? Math.min(SLOWEST, 1000 / this.status.fps / 2) : 0);
    this.pictures = new Pictures(this.connection, () => composed(this), facts, pause);
    this.#listen();
  }

  #listen() {
    const { connection } = this;
    const on = (/** @type {string} */ type, /** @type {(message: any) => void} */ take) =>
      connection.addEventListener(type, (event) => take(/** @type {CustomEvent} */ (event).detail));
    on("welcome", (message) => this.#welcomed(message));
    on("drawn", ({ ops }) => this.#later(() => this.#drawn(ops)));
    on("kept", ({ client, number, revision }) => this.#later(async () => this.#kept(client, number, revision)));
    on("status", (message) => this.#tell("status", (this.status = message)));
    on("offers", (message) => {
      this.offers = message;
      const colours = new Map(message.classes.map((/** @type {any} */ each) => [each.number, each.colour]));
      this.raster.classColour = (number) => colours.get(number) ?? "#808080";
      this.#tell("offers", message);
    });
    on("settings", (message) => this.#tell("settings", (this.settings = message.values)));
    for (const type of ["notice", "saved", "variant", "link"]) on(type, (message) => this.#tell(type, message));
    this.drawing.addEventListener("change", () => this.#tell("drawing", null));
  }

  #perspective() {
    this.vanishing = vanishing(this.prefs.get("guides"), this.raster.paper);
  }

  /** @param {string} type @param {any} detail */
  #tell(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }

  /** @param {() => Promise<void>} work */
  #later(work) {
    this.taking = this.taking.then(work).catch((error) => console.error("inkstream:", error));
  }

  /** @param {Record<string, any>} message */
  #welcomed({ session, reset, width, height, revision, canvas }) {
    this.elsewhere = canvas === false;
    this.drawing.own = this.#lives(session);
    this.#later(async () => {
      if (reset) {
        this.drawing.forget();
        this.connection.revision = 0;
      }
      const { size } = this.raster;
      if (size.width !== width || size.height !== height) this.raster.resize(width, height);
      this.lacking ||= reset || this.connection.revision === 0;
      this.view.paper = this.raster.paper;
      if (!this.vanishing.length) this.#perspective();
      this.#tell("session", session);
      if (this.connection.revision >= revision) this.#complete();
    });
  }

  /** All that the server has of the drawing is here. */
  #complete() {
    if (this.lacking) this.#again();
    this.lacking = false;
    if (this.drawing.items.length) this.touch();
  }

  /** What the server does not have yet: it is part of the drawing all the same. */
  #again() {
    for (const [client, ops] of this.connection.unkept?.all() ?? []) {
      if (client !== this.client) for (const op of ops) this.drawing.take(op, client, Infinity);
    }
    for (const op of this.connection.waiting) this.drawing.take(op, this.client, Infinity);
  }

  /** @param {string} session @returns {Set<string>} */
  #lives(session) {
    const key = `inkstream.own/${session}`;
    try {
      const known = JSON.parse(this.storage?.getItem(key) ?? "[]").filter((/** @type {string} */ each) => each !== this.client);
      const all = [...known, this.client].slice(-LIVES);
      this.storage?.setItem(key, JSON.stringify(all));
      return new Set(all);
    } catch {
      return new Set([this.client]);
    }
  }

  /** @param {Record<string, any>[]} ops */
  async #drawn(ops) {
    for (const { client, revision, ...op } of ops) {
      this.drawing.take(op, client, revision, { bits: await maskOf(op) });
      this.connection.revision = Math.max(this.connection.revision, revision);
    }
    // A drawing comes in several messages: half of one is no picture.
    clearTimeout(this.settling);
    if (this.connection.revision >= (this.connection.welcome?.revision ?? 0)) this.#complete();
    else this.settling = window.setTimeout(() => this.#complete(), SETTLED);
  }

  /** @param {string} client @param {number} number @param {number} revision */
  #kept(client, number, revision) {
    this.drawing.kept(client, number, revision);
    this.connection.revision = Math.max(this.connection.revision, revision);
  }

  /** Something looks different: the newest picture of the drawing goes to the server. @param {number} [time] */
  touch(time) {
    this.raster.sync();
    this.view.paper = this.raster.paper;
    this.pictures.touch(time);
    this.#tell("touched", null);
  }

  /**
   * Draws something: here at once, on the server as soon as it can be.
   * @param {Record<string, any>} fields @param {{live?: boolean, bits?: Uint8Array | null}} [more]
   * @returns {string} its name
   */
  operate(fields, more = {}) {
    const op = this.connection.operate(fields);
    this.drawing.take(op, this.client, Infinity, more);
    return `${this.client}.${op.number}`;
  }

  get alone() {
    return (this.status.pages ?? 1) <= 1;
  }

  /** What comes with what was undone: the strokes of one hand on several layers. @param {string} name @returns {string[]} */
  #together(name) {
    const group = this.drawing.named.get(name)?.op.options?.group;
    if (!group) return [name];
    return this.drawing.items.filter((item) => item.op.options?.group === group).map((item) => item.name);
  }

  undo() {
    const name = this.drawing.undoable(this.alone);
    if (!name) return false;
    for (const each of this.#together(name)) this.operate({ op: "undo", of: each });
    this.undone.push(name);
    this.touch();
    return true;
  }

  redo() {
    const name = this.undone.pop();
    if (!name) return false;
    for (const each of this.#together(name)) this.operate({ op: "redo", of: each });
    this.touch();
    return true;
  }

  clear() {
    if (this.drawing.empty) return;
    this.undone = [];
    this.operate({ op: "clear" });
    this.touch();
  }

  /** @param {Record<string, any>} changes @returns {Promise<any>} */
  set(changes) {
    return this.connection.ask("set", { changes });
  }

  /** @param {string} path below the session's @returns {string} */
  path(path) {
    return `/sessions/${this.connection.session}/${path}`;
  }

  /** Of an uploaded picture; drawn again once it is here. @param {string} name @returns {CanvasImageSource | null} */
  #image(name) {
    if (!this.images.has(name)) {
      this.images.set(name, null);
      void this.api
        .blob(this.path(`images/${name}`))
        .then((blob) => createImageBitmap(blob))
        .then((bitmap) => {
          this.images.set(name, bitmap);
          this.raster.restart();
          this.touch();
        })
        .catch(() => this.images.delete(name));
    }
    return this.images.get(name) ?? null;
  }

  /** The server does not know this drawing: it begins a new one, and what was drawn goes there. */
  moveToNew() {
    const items = this.drawing.whole();
    this.drawing.forget();
    this.client = newClient();
    this.connection.addEventListener("welcome", () => this.#later(() => this.#drawAll(items)), { once: true });
    this.connection.begin(this.client);
  }

  /** @param {{op: Record<string, any>, points: import("./engine/protocol.js").Point[]}[]} items */
  async #drawAll(items) {
    for (const { op, points } of items) {
      const { number, points: first, tilt, ...fields } = op;
      if (op.op !== "begin") {
        this.operate(fields, { bits: await maskOf(op) });
        continue;
      }
      const writer = new PointWriter();
      const leaning = (points[0]?.length ?? 0) > 3;
      let name = "";
      for (let at = 0; at < Math.max(1, points.length); at += PORTION) {
        const some = points.slice(at, at + PORTION);
        const times = some.map((_, index) => (at + index) * STEP);
        const more = writer.write(some, times, leaning);
        if (name) this.operate({ op: "points", of: name, ...more });
        else name = this.operate({ ...fields, ...more });
      }
      this.operate({ op: "end", of: name });
    }
    this.touch();
  }
}
