// Beside the drawing: tools, what they draw with, and how.

import { button, h, icon, openBeside, roving, t } from "./dom.js";
import { palette } from "./palette.js";

const TOOLS = { pencil: "N", ink: "B", marker: "M", fill: "G", eraser: "E" };
const SHAPES = ["free", "line", "ellipse", "rectangle"];
const SYMMETRIES = ["", "x", "y", "xy", "6"];

export class Rail extends HTMLElement {
  /** @param {import("../studio.js").Studio} studio @param {import("../hand/hands.js").Hands} hands */
  constructor(studio, hands) {
    super();
    this.studio = studio;
    this.hands = hands;
    const { prefs } = studio;
    const tools = Object.entries(TOOLS).map(([tool, key]) =>
      button(tool, t(`tool.${tool}`), (event) => this.#choose(tool, /** @type {HTMLElement} */ (event.currentTarget)), { key, pressed: false, data: { tool } }),
    );
    this.brush = this.#brush();
    this.swatch = h("button", { type: "button", class: "swatch", "aria-haspopup": "dialog", title: `${t("colour")}  (C)`, on: { click: () => this.colours() } }, h("i", {}));
    this.palette = palette(studio, () => this.palette.hidePopover());
    const shape = this.#cycle("shape", SHAPES, (value) => value, "L");
    const symmetry = this.#cycle("symmetry", SYMMETRIES, () => "symmetry", "S");
    const guides = this.#cycle("guides", ["0", "1", "2"], () => "guides", "V");
    this.size = h("input", { type: "range", class: "upright", min: "0", max: "1", step: "0.005", "aria-label": t("size"), title: `${t("size")}  ([ ])`, on: { input: () => this.#resize(Number(this.size.value)) } });
    this.bar = h("div", { class: "tools", "aria-label": t("tools") }, ...tools, h("hr", {}), this.swatch, h("hr", {}), shape, symmetry, guides);
    this.append(this.bar, h("label", { class: "size" }, this.size), this.brush, this.palette);
    roving(this.bar, true);
    prefs.addEventListener("change", () => this.show());
    studio.addEventListener("class", () => this.show());
    this.show();
  }

  /** A tool that is taken again shows how it draws. @param {string} tool @param {HTMLElement} at */
  #choose(tool, at) {
    const again = this.studio.prefs.get("tool") === tool;
    this.studio.prefs.set("tool", tool);
    if (again && tool !== "fill") openBeside(this.brush, at, this.#side);
  }

  get #side() {
    return /** @type {"right" | "above"} */ (this.offsetWidth > this.offsetHeight ? "above" : "right");
  }

  colours() {
    openBeside(this.palette, this.swatch, this.#side);
  }

  /** @param {"shape" | "symmetry" | "guides"} name @param {string[]} values @param {(value: string) => string} iconOf @param {string} key */
  #cycle(name, values, iconOf, key) {
    const { prefs } = this.studio;
    const step = () => {
      const next = values[(values.indexOf(String(prefs.get(name))) + 1) % values.length];
      prefs.set(/** @type {any} */ (name), /** @type {any} */ (name === "guides" ? Number(next) : next));
    };
    const made = button(iconOf(values[0]), t(name), step, { key, pressed: false, data: { cycle: name } });
    const badge = h("span", { class: "badge" });
    const show = () => {
      const value = String(prefs.get(name));
      const off = value === values[0];
      made.setAttribute("aria-pressed", String(!off));
      made.setAttribute("aria-label", `${t(name)}: ${t(`${name}.${value || "none"}`)}`);
      made.title = `${t(name)}: ${t(`${name}.${value || "none"}`)}  (${key})`;
      badge.textContent = off || name === "shape" ? "" : { x: "↔", y: "↕", xy: "✛", 6: "6" }[value] ?? value;
      made.replaceChildren(icon(iconOf(value)), badge);
    };
    prefs.addEventListener("change", show);
    show();
    return made;
  }

  /** The next of its kinds. @param {string} name */
  cycle(name) {
    /** @type {HTMLElement | null} */ (this.querySelector(`[data-cycle=${name}]`))?.click();
  }

  #brush() {
    const { prefs } = this.studio;
    const pop = h("div", { class: "pop brush", popover: "auto", "aria-label": t("brush") });
    const slider = (/** @type {string} */ label, /** @type {() => number} */ get, /** @type {(value: number) => void} */ set, shown = (/** @type {number} */ value) => `${Math.round(100 * value)} %`) => {
      const value = h("output", {});
      const input = h("input", { type: "range", min: "0", max: "1", step: "0.01", "aria-label": label, on: { input: () => (set(Number(input.value)), show()) } });
      const show = () => {
        input.value = String(get());
        value.textContent = shown(get());
      };
      prefs.addEventListener("change", show);
      pop.addEventListener("beforetoggle", show);
      return h("label", { class: "slider" }, h("span", {}, label), value, input);
    };
    pop.append(
      slider(t("size"), () => toShare(this.#sizeNow), (share) => this.#resize(share), () => `${this.hands.size.toFixed(this.hands.size < 10 ? 1 : 0)} px`),
      slider(t("opacity"), () => prefs.get("opacities")[prefs.get("tool")] ?? 1, (value) => prefs.set("opacities", { ...prefs.get("opacities"), [prefs.get("tool")]: value })),
      slider(t("stabiliser"), () => prefs.get("stabiliser"), (value) => prefs.set("stabiliser", value)),
    );
    return pop;
  }

  get #sizeNow() {
    return this.studio.prefs.get("sizes")[this.hands.kind] ?? 6;
  }

  /** @param {number} share of the slider */
  #resize(share) {
    this.studio.prefs.set("sizes", { ...this.studio.prefs.get("sizes"), [this.hands.kind]: fromShare(share) });
  }

  /** @param {number} step */
  grow(step) {
    this.#resize(Math.max(0, Math.min(1, toShare(this.#sizeNow) + step * 0.04)));
  }

  show() {
    const { prefs, ofClass, offers } = this.studio;
    for (const each of /** @type {NodeListOf<HTMLElement>} */ (this.bar.querySelectorAll("[data-tool]"))) {
      each.setAttribute("aria-pressed", String(each.dataset.tool === prefs.get("tool")));
    }
    const found = offers.classes.find((/** @type {any} */ each) => each.number === ofClass);
    this.swatch.style.setProperty("--colour", found?.colour ?? prefs.get("colour"));
    this.swatch.classList.toggle("of-class", Boolean(found));
    this.swatch.setAttribute("aria-label", `${t("colour")}: ${found?.name ?? prefs.get("colour")}`);
    this.size.value = String(toShare(this.#sizeNow));
    this.size.disabled = prefs.get("tool") === "fill";
  }
}

const [THIN, THICK] = [1, 200];
/** Small sizes have most of a slider. @param {number} share */
const fromShare = (share) => THIN * (THICK / THIN) ** share;
/** @param {number} size */
const toShare = (size) => Math.log(Math.max(THIN, size) / THIN) / Math.log(THICK / THIN);

customElements.define("ink-rail", Rail);
