// Colours, and classes of things where the model paints by them.

import { button, h, t } from "./dom.js";

const COLOURS = [
  "#1a1a1a", "#4d4d4d", "#8a8a8a", "#c4c4c4", "#ffffff", "#7a4a2b",
  "#c0392b", "#e2703a", "#f2b544", "#8fae4b", "#3f7d4e", "#2c8c8c",
  "#3a7fc1", "#2f4b8f", "#6c4aa0", "#b5508c", "#e8c9a6", "#a9c7dd",
];
const RECENT = 6;

/** @param {import("../studio.js").Studio} studio @param {() => void} close @returns {any} */
export function palette(studio, close) {
  const { prefs } = studio;
  const pop = h("div", { class: "pop palette", popover: "auto", "aria-label": t("colour") });
  const take = (/** @type {string} */ colour) => {
    studio.ofClass = null;
    prefs.set("recent", [colour, ...prefs.get("recent").filter((each) => each !== colour && !COLOURS.includes(colour))].slice(0, RECENT));
    prefs.set("colour", colour);
    studio.dispatchEvent(new CustomEvent("class"));
  };
  const swatches = (/** @type {string[]} */ colours) =>
    colours.map((colour) => {
      const made = h("button", { type: "button", class: "swatch", "aria-label": colour, title: colour, on: { click: () => (take(colour), close()) } }, h("i", {}));
      made.style.setProperty("--colour", colour);
      made.setAttribute("aria-pressed", String(studio.ofClass === null && prefs.get("colour") === colour));
      return made;
    });
  const custom = h("input", { type: "color", class: "own", "aria-label": t("colour.own"), title: t("colour.own"), on: { input: () => take(custom.value) } });
  const pick = button("pipette", t("colour.pick"), () => {
    /** @type {any} */ (document.querySelector("ink-stage")).picking = true;
    close();
  }, { key: "Alt" });
  const show = () => {
    custom.value = prefs.get("colour");
    const recent = prefs.get("recent").filter((each) => !COLOURS.includes(each));
    pop.replaceChildren(
      h("div", { class: "swatches" }, ...swatches(COLOURS)),
      h("div", { class: "swatches" }, ...swatches(recent.slice(0, RECENT - 2)), custom, pick),
      ...things(studio, close),
    );
  };
  pop.addEventListener("beforetoggle", show);
  return pop;
}

/** The classes. @param {import("../studio.js").Studio} studio @param {() => void} close @returns {HTMLElement[]} */
function things(studio, close) {
  const { classes } = studio.offers;
  if (!classes.length) return [];
  const take = (/** @type {number} */ number) => {
    studio.ofClass = number;
    studio.instance = 0;
    if (studio.prefs.get("tool") === "eraser") studio.prefs.set("tool", "ink");
    studio.dispatchEvent(new CustomEvent("class"));
  };
  const rows = classes.map((/** @type {any} */ each) => {
    const made = h(
      "button",
      { type: "button", class: "thing", "aria-pressed": String(studio.ofClass === each.number), on: { click: () => (take(each.number), close()) } },
      h("i", {}),
      h("span", {}, each.name),
    );
    made.style.setProperty("--colour", each.colour);
    return made;
  });
  const another = h("label", { class: "switch" }, h("input", {
    type: "checkbox",
    checked: studio.instance > 0,
    on: { change: (/** @type {any} */ event) => (studio.instance = event.target.checked ? nextThing(studio) : 0) },
  }), h("span", {}, t("things.another")));
  return [h("h2", {}, t("things")), h("div", { class: "things" }, ...rows), ...(studio.ofClass === null ? [] : [another])];
}

/** A number that no thing has yet. @param {import("../studio.js").Studio} studio @returns {number} */
export function nextThing(studio) {
  return 1 + studio.drawing.items.reduce((most, { op }) => Math.max(most, op.instance ?? 0), 0);
}
