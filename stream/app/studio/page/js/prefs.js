// What this browser remembers of a person: tool, colours, layout, language; never a drawing.

const KEY = "inkstream.page";

const DEFAULTS = {
  tool: "ink",
  shape: "free",
  colour: "#1a1a1a",
  recent: /** @type {string[]} */ ([]),
  sizes: /** @type {Record<string, number>} */ ({ pencil: 5, ink: 6, marker: 34, eraser: 40, class: 60 }), // of 1000 parts of the paper
  opacities: /** @type {Record<string, number>} */ ({ pencil: 1, ink: 1, marker: 0.6 }),
  stabiliser: 0.15,
  symmetry: "",
  guides: 0,
  mode: "beside",
  over: 0.75,
  wipe: 0.5,
  strip: /** @type {boolean | null} */ (null),
  panel: "",
  theme: "system",
  language: "",
  looks: /** @type {{name: string, values: Record<string, any>}[]} */ ([]),
};

/** Event: "change" with the name of what changed. */
export class Prefs extends EventTarget {
  constructor() {
    super();
    this.values = { ...structuredClone(DEFAULTS), ...read() };
  }

  /** @template {keyof typeof DEFAULTS} K @param {K} name @returns {(typeof DEFAULTS)[K]} */
  get(name) {
    return this.values[name];
  }

  /** @template {keyof typeof DEFAULTS} K @param {K} name @param {(typeof DEFAULTS)[K]} value */
  set(name, value) {
    this.values[name] = value;
    try {
      localStorage.setItem(KEY, JSON.stringify(this.values));
    } catch {
      // Where a page may keep nothing, it forgets when it is closed.
    }
    this.dispatchEvent(new CustomEvent("change", { detail: name }));
  }
}

/** @returns {Partial<typeof DEFAULTS>} of the right kinds only */
function read() {
  try {
    const found = JSON.parse(localStorage.getItem(KEY) ?? "{}");
    return Object.fromEntries(
      Object.entries(DEFAULTS)
        .filter(([name, value]) => value === null || typeof found[name] === typeof value)
        .map(([name, value]) => [name, isMapping(value) ? { ...value, .../** @type {any} */ (found[name]) } : (found[name] ?? value)]),
    );
  } catch {
    return {};
  }
}

/** @param {unknown} value @returns {value is Record<string, any>} */
const isMapping = (value) => typeof value === "object" && value !== null && !Array.isArray(value);
