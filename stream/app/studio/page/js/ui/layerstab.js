// The layers of the drawing: which one is drawn on, what is seen, and how strongly.

import { button, h, icon, t } from "./dom.js";

/** @typedef {import("../drawing/layers.js").Layer} Layer */

/** @param {import("../studio.js").Studio} studio @param {Record<string, (event?: any) => void>} acts @returns {HTMLElement} */
export function layersTab(studio, acts) {
  const list = h("ul", { class: "layers" });
  const body = h(
    "div",
    { class: "body" },
    list,
    h("div", { class: "group" }, button("plus", t("layer.new"), () => add(studio), { text: t("layer.new") }), button("open", t("layer.photo"), acts.photo, { text: t("layer.photo") })),
  );
  let shown = "";
  const show = () => {
    if (body.hidden || studio.strokes.length) return;
    const { layers } = studio.raster;
    const state = JSON.stringify([studio.layer, studio.drawing.items.length, layers.map(({ name, title, opacity, visible, locked, gone }) => [name, title, opacity, visible, locked, gone])]);
    if (state === shown || list.contains(document.activeElement) && /** @type {any} */ (document.activeElement).type === "range") return;
    shown = state;
    const rows = [...layers].reverse().filter((layer) => !layer.gone).map((layer) => row(studio, layer));
    list.replaceChildren(auto(studio), ...rows);
  };
  studio.addEventListener("touched", show);
  studio.addEventListener("layer", show);
  studio.addEventListener("session", show);
  studio.prefs.addEventListener("change", () => queueMicrotask(show));
  show();
  return body;
}

/** The tool finds its layer: lines above, colours below. @param {import("../studio.js").Studio} studio */
function auto(studio) {
  return h(
    "li",
    {},
    h("button", { type: "button", class: "row", "aria-pressed": String(studio.layer === "auto"), on: { click: () => choose(studio, "auto") } }, icon("layers"), h("span", {}, t("layer.auto"))),
  );
}

/** @param {import("../studio.js").Studio} studio @param {string} name */
function choose(studio, name) {
  studio.layer = name;
  studio.dispatchEvent(new CustomEvent("layer"));
}

/** @param {Layer} layer */
export const titleOf = (layer) => layer.title || (["sketch", "colour", "labels"].includes(layer.name) ? t(`layer.${layer.name}`) : t(`layer.kind.${layer.kind}`));

/** @param {import("../studio.js").Studio} studio @param {Layer} layer */
function row(studio, layer) {
  const title = titleOf(layer);
  const change = (/** @type {Record<string, any>} */ fields) => {
    studio.operate({ op: "layer", layer: layer.name, ...fields });
    studio.touch();
    studio.dispatchEvent(new CustomEvent("layer"));
  };
  const tiny = (/** @type {string} */ name, /** @type {string} */ label, /** @type {() => void} */ click, /** @type {boolean} */ pressed) =>
    h("button", { type: "button", class: "tiny", title: label, "aria-label": `${title}: ${label}`, "aria-pressed": String(pressed), on: { click } }, icon(name));
  const opacity = h("input", { type: "range", class: "slim", min: "0", max: "1", step: "0.01", value: String(layer.opacity), "aria-label": `${title}: ${t("opacity")}` });
  opacity.addEventListener("input", () => {
    layer.opacity = Number(opacity.value);
    studio.dispatchEvent(new CustomEvent("touched"));
  });
  opacity.addEventListener("change", () => {
    opacity.blur();
    change({ opacity: Number(opacity.value) });
  });
  return h(
    "li",
    { class: layer.visible ? "" : "off" },
    h("button", { type: "button", class: "row", "aria-pressed": String(studio.layer === layer.name), on: { click: () => choose(studio, layer.name) } }, thumbnail(layer), h("span", {}, title)),
    opacity,
    tiny(layer.visible ? "eye" : "hidden", t(layer.visible ? "layer.hide" : "layer.show"), () => change({ visible: !layer.visible }), !layer.visible),
    tiny(layer.locked ? "lock" : "unlock", t(layer.locked ? "layer.unlock" : "layer.lock"), () => change({ locked: !layer.locked }), layer.locked),
    tiny("trash", t("remove"), () => (studio.layer === layer.name && choose(studio, "auto"), change({ gone: true })), false),
  );
}

/** @param {Layer} layer */
function thumbnail(layer) {
  const side = 32;
  const canvas = h("canvas", { class: "thumb", width: side, height: side, "aria-hidden": "true" });
  const context = canvas.getContext("2d");
  context.fillStyle = "#fff";
  context.fillRect(0, 0, side, side);
  context.drawImage(layer.canvas, 0, 0, side, side);
  return canvas;
}

/** @param {import("../studio.js").Studio} studio */
function add(studio) {
  const count = studio.raster.layers.filter((layer) => layer.kind === "sketch").length;
  const name = `layer-${studio.client.slice(0, 6)}-${studio.connection.number + 1}`;
  studio.operate({ op: "layer", layer: name, kind: "sketch", title: t("layer.title", { number: count + 1 }) });
  studio.layer = name;
  studio.touch();
  studio.dispatchEvent(new CustomEvent("layer"));
}
