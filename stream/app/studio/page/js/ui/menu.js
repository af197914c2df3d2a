// The menu: what is needed once in a while.

import { h, icon, t } from "./dom.js";
import { THEMES } from "./theme.js";

const LANGUAGES = { en: "English", de: "Deutsch", ru: "Русский", zh: "中文" };

/** @param {import("../studio.js").Studio} studio @param {Record<string, (event?: any) => void>} acts @returns {HTMLElement} */
export function menu(studio, acts) {
  const pop = h("div", { class: "pop menu", popover: "auto" });
  const line = () => h("hr", { role: "separator" });
  const row = (/** @type {string} */ name, /** @type {string} */ label, /** @type {string} */ key = "", style = "") =>
    h(
      "button",
      { type: "button", role: "menuitem", class: `row ${style}`, on: { click: () => (pop.hidePopover(), acts[name]()) } },
      icon(ICONS[name] ?? name),
      h("span", {}, label),
      key && h("kbd", {}, key),
    );
  const theme = h("div", { class: "choice", role: "group", "aria-label": t("theme") });
  for (const each of THEMES) {
    const one = h("button", { type: "button", class: "button", title: t(`theme.${each}`), "aria-label": t(`theme.${each}`), on: { click: () => studio.prefs.set("theme", each) } }, icon(each));
    const show = () => one.setAttribute("aria-pressed", String(studio.prefs.get("theme") === each));
    studio.prefs.addEventListener("change", show);
    show();
    theme.append(one);
  }
  const language = h("select", { class: "field", "aria-label": t("language") });
  for (const [code, name] of Object.entries(LANGUAGES)) language.append(h("option", { value: code, selected: document.documentElement.lang.startsWith(code) }, name));
  language.addEventListener("change", () => {
    studio.prefs.set("language", language.value);
    location.reload();
  });
  const list = h(
    "div",
    { role: "menu", "aria-label": t("menu") },
    row("begin", t("begin")),
    row("drawings", t("drawings")),
    row("open", t("open"), "O"),
    row("clear", t("clear")),
    line(),
    row("png", t("download.png"), "Ctrl+S"),
    row("ora", t("download.ora")),
    row("copy", t("copy"), "Ctrl+C"),
    row("keep", t("keep"), "K"),
    line(),
    row("share", t("share")),
    row("full", t("full"), "⇧F"),
    row("help", t("help"), "?"),
  );
  pop.append(list, h("hr", {}), h("div", { class: "row plain" }, theme, language));
  pop.addEventListener("toggle", (/** @type {any} */ event) => {
    if (event.newState === "open") pop.querySelector("button")?.focus();
  });
  pop.addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    const all = [...pop.querySelectorAll("button, select")];
    /** @type {HTMLElement} */ (all[(all.indexOf(document.activeElement) + step + all.length) % all.length]).focus();
  });
  return pop;
}

/** @type {Record<string, string>} */
const ICONS = { begin: "new", drawings: "vary", clear: "trash", png: "download", ora: "layers", help: "keys" };
