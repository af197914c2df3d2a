// Controls of settings: quiet lines that tell their value, their help, and the way back.

import { h, icon, t } from "./dom.js";

/** @typedef {{get: () => any, set: (value: any) => void, reset?: () => void, isDefault?: () => boolean}} Access */

/**
 * A slider with its value beside its name.
 * @param {string} name @param {{min: number, max: number, step: number}} range @param {Access} access @param {string} [help]
 * @returns {{element: HTMLElement, show: () => void}}
 */
export function slider(name, range, access, help = "") {
  const input = h("input", { type: "range", ...strings(range), "aria-label": name, on: { input: () => (access.set(Number(input.value)), line()) } });
  const number = h("input", { type: "number", class: "number", ...strings(range), step: "any", "aria-label": `${name}, ${t("value")}`, on: { change: () => (access.set(Number(number.value)), show()) } });
  const line = () => {
    if (document.activeElement !== number) number.value = String(Math.round(1000 * Number(input.value)) / 1000);
    frame.changed();
  };
  const show = () => {
    if (document.activeElement !== input) input.value = String(access.get() ?? range.min);
    line();
  };
  const frame = framed(name, number, input, access, help);
  return { element: frame.element, show };
}

/** @param {string} name @param {string[]} options @param {Access} access @param {string} [help] */
export function choice(name, options, access, help = "") {
  const select = h("select", { class: "field", "aria-label": name, on: { change: () => access.set(select.value) } }, ...options.map((each) => h("option", { value: each }, each)));
  const frame = framed(name, select, null, access, help);
  return { element: frame.element, show: () => ((select.value = String(access.get())), frame.changed()) };
}

/** @param {string} name @param {Access} access @param {string} [help] */
export function toggle(name, access, help = "") {
  const input = h("input", { type: "checkbox", class: "toggle", role: "switch", "aria-label": name, on: { change: () => access.set(input.checked) } });
  const frame = framed(name, input, null, access, help);
  return { element: frame.element, show: () => ((input.checked = Boolean(access.get())), frame.changed()) };
}

/** Text, or anything else as JSON. @param {string} name @param {Access} access @param {string} help @param {boolean} plain whether it is a text */
export function entry(name, access, help, plain) {
  const input = h("input", {
    type: "text",
    class: "field",
    spellcheck: false,
    "aria-label": name,
    on: {
      change: () => {
        if (plain) access.set(input.value);
        else {
          try {
            access.set(JSON.parse(input.value));
          } catch {
            show();
          }
        }
      },
    },
  });
  const frame = framed(name, null, input, access, help);
  const show = () => {
    if (document.activeElement !== input) input.value = plain ? String(access.get() ?? "") : JSON.stringify(access.get());
    frame.changed();
  };
  return { element: frame.element, show };
}

/** @param {string} name @param {HTMLElement | null} beside @param {HTMLElement | null} below @param {Access} access @param {string} help */
function framed(name, beside, below, access, help) {
  const text = h("p", { class: "help", hidden: true }, help);
  const ask = help && h("button", { type: "button", class: "tiny", "aria-label": `${name}: ${t("help.what")}`, title: help, "aria-expanded": "false", on: { click: () => {
    text.hidden = !text.hidden;
    ask.setAttribute("aria-expanded", String(!text.hidden));
  } } }, icon("help"));
  const back = access.reset && h("button", { type: "button", class: "tiny back", "aria-label": `${name}: ${t("reset")}`, title: t("reset"), on: { click: access.reset } }, icon("reset"));
  const element = h("div", { class: "control" }, h("div", { class: "head" }, h("span", { class: "name" }, name), ask || null, h("span", { class: "gap" }), back || null, beside), below, text);
  const changed = () => {
    if (back) back.hidden = access.isDefault?.() ?? true;
  };
  return { element, changed };
}

/** @param {Record<string, number>} range */
const strings = (range) => Object.fromEntries(Object.entries(range).map(([name, value]) => [name, String(value)]));
