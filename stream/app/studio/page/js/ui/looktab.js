// How it looks: how much the drawing decides, styles, and looks that were kept.

import { h, icon, t } from "./dom.js";
import { slider } from "./controls.js";
import { sender } from "./sender.js";

/** What a look is made of. */
const PARTS = ["prompt", "negative_prompt", "seed", "drawing_influence", "lora_dict"];

/** @param {import("../studio.js").Studio} studio @returns {Record<string, any>} */
export function lookNow(studio) {
  return Object.fromEntries(PARTS.filter((name) => name in studio.settings).map((name) => [name, studio.settings[name]]));
}

/** @param {import("../studio.js").Studio} studio @param {Record<string, (event?: any) => void>} acts @returns {HTMLElement} */
export function lookTab(studio, acts) {
  const send = sender(studio);
  const influence = slider(
    t("influence"),
    { min: 0, max: 100, step: 1 },
    { get: () => studio.settings.drawing_influence ?? 50, set: (value) => send({ drawing_influence: value }), reset: () => send({ drawing_influence: 50 }), isDefault: () => (studio.settings.drawing_influence ?? 50) === 50 },
    t("influence.help"),
  );
  const styles = h("section", {});
  const looks = h("section", {});
  /** @type {(() => void)[]} */ let shows = [];
  const showStyles = () => {
    const names = [...new Set([...(studio.offers.styles ?? []), ...Object.keys(studio.settings.lora_dict ?? {})])];
    const made = names.map((name) => {
      const scale = () => studio.settings.lora_dict?.[name] ?? 0;
      const change = (/** @type {number} */ value) => send({ lora_dict: { [name]: value } });
      return slider(shortened(name), { min: 0, max: 1.5, step: 0.01 }, { get: scale, set: change, reset: () => change(0), isDefault: () => scale() === 0 });
    });
    shows = made.map((each) => each.show);
    styles.replaceChildren(...(names.length ? [h("h2", {}, t("styles")), ...made.map((each) => each.element)] : []));
    shows.forEach((show) => show());
  };
  const showLooks = () => {
    const kept = studio.prefs.get("looks");
    const rows = kept.map((look, at) =>
      h(
        "div",
        { class: "look" },
        h("button", { type: "button", class: "row", title: String(look.values.prompt ?? ""), on: { click: () => send(look.values) } }, icon("star"), h("span", {}, look.name)),
        h("button", { type: "button", class: "tiny", "aria-label": `${look.name}: ${t("remove")}`, title: t("remove"), on: { click: () => studio.prefs.set("looks", kept.filter((_, other) => other !== at)) } }, icon("close")),
      ),
    );
    const more = h("button", { type: "button", class: "row", on: { click: () => acts.keepLook() } }, icon("plus"), h("span", {}, t("look.keep")));
    looks.replaceChildren(h("h2", {}, t("looks")), ...rows, more);
  };
  const presets = section(studio, send);
  studio.addEventListener("offers", showStyles);
  studio.addEventListener("settings", () => {
    influence.show();
    if (Object.keys(studio.settings.lora_dict ?? {}).length > shows.length) showStyles();
    else shows.forEach((show) => show());
  });
  studio.prefs.addEventListener("change", (event) => /** @type {CustomEvent} */ (event).detail === "looks" && showLooks());
  showStyles();
  showLooks();
  return h("div", { class: "body" }, influence.element, styles, looks, presets);
}

/** Presets: those that this stream can take, and what the others need. @param {import("../studio.js").Studio} studio @param {(changes: Record<string, any>) => void} send */
function section(studio, send) {
  const element = h("section", {});
  const show = () => {
    const isNow = (/** @type {Record<string, any>} */ changes) => Object.entries(changes).every(([name, value]) => JSON.stringify(studio.settings[name]) === JSON.stringify(value));
    const presets = /** @type {any[]} */ (studio.offers.presets);
    const rows = presets.filter((each) => !each.why).map(({ name, purpose, changes }) => {
      const on = isNow(changes);
      return h("button", { type: "button", class: "row", "aria-pressed": String(on), title: purpose, on: { click: () => send(changes) } }, icon(on ? "check" : "look"), h("span", {}, name));
    });
    const others = presets.filter((each) => each.why).map(({ purpose, why, start }) => h("li", { title: `${purpose} (${why})` }, start));
    const rest = others.length ? [h("div", { class: "help" }, t("change.never"), h("ul", {}, ...others))] : [];
    element.replaceChildren(...(presets.length ? [h("h2", {}, t("presets")), ...rows, ...rest] : []));
  };
  studio.addEventListener("offers", show);
  studio.addEventListener("settings", show);
  return element;
}

/** Of a file only its name. @param {string} name */
const shortened = (name) => name.split(/[\\/]/).at(-1)?.replace(/\.safetensors$/, "") ?? name;
