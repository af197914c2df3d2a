// Sheets over the page: the keys, the address for viewers, a token that is asked for.

import { h, icon, t } from "./dom.js";
import { sheet } from "./sheet.js";

const KEYS = [
  ["tools", [["N", "tool.pencil"], ["B", "tool.ink"], ["M", "tool.marker"], ["G", "tool.fill"], ["E", "tool.eraser"], ["C", "colour"], ["Alt", "colour.pick"], ["[  ]", "size"]]],
  ["shape", [["L", "shape"], ["Shift", "shape.straight"], ["S", "symmetry"], ["V", "guides"]]],
  ["view", [["Space", "view.pan"], ["0", "view.fit"], ["1 2 3 4", "mode"], ["Tab", "view.bare"], ["⇧F", "full"]]],
  ["render", [["F", "freeze"], ["R", "seed"], ["T", "vary"], ["K", "keep"], ["/", "prompt"], ["Y", "history"], ["P", "panel"]]],
  ["touch", [["2", "touch.undo"], ["3", "touch.redo"], ["↔", "touch.pinch"]]],
  ["general", [["Ctrl Z", "undo"], ["Ctrl ⇧ Z", "redo"], ["Ctrl S", "download.png"], ["Ctrl C", "copy"], ["O", "open"], ["?", "help"]]],
];

const HERE = new Set(["localhost", "127.0.0.1", "[::1]"]);

export function showKeys() {
  const columns = KEYS.map(([group, rows]) =>
    h(
      "section",
      {},
      h("h3", {}, t(`keys.${group}`)),
      h("dl", { class: "keys" }, .../** @type {string[][]} */ (rows).flatMap(([key, what]) => [h("dt", {}, h("kbd", {}, key)), h("dd", {}, t(what))])),
    ),
  );
  sheet(t("help"), h("div", { class: "columns" }, ...columns));
}

/** @param {import("../studio.js").Studio} studio */
export async function showShare(studio) {
  const path = `/view/${studio.connection.welcome?.view ?? ""}`;
  const address = location.origin + path;
  const field = h("input", { type: "text", class: "field", readOnly: true, value: address, "aria-label": t("share.address") });
  const copy = h("button", { type: "button", class: "button strong text", on: { click: () => (field.select(), copied(address)) } }, t("copy"));
  const copied = async (/** @type {string} */ text) => {
    if (navigator.clipboard) await navigator.clipboard.writeText(text);
    else document.execCommand("copy"); // plain HTTP has no other way
    copy.textContent = t("copied");
  };
  const code = h("img", { class: "code", alt: t("share.code"), hidden: true });
  const transparent = h("p", { class: "help" }, t("share.obs"), " ", h("code", {}, `${address}?transparent=1`));
  sheet(t("share"), h("p", {}, t("share.text")), h("div", { class: "line" }, field, copy), code, transparent);
  if (HERE.has(location.hostname)) return; // another device would find itself under that name
  const picture = await studio.api.blob(`${path}.svg`).catch(() => null);
  if (!picture) return;
  code.src = URL.createObjectURL(picture);
  code.hidden = false;
}

/** @returns {Promise<string>} empty: there is none */
export function askToken() {
  return new Promise((resolve) => {
    const field = h("input", { type: "password", class: "field", autocomplete: "off", "aria-label": t("token") });
    const form = h("form", { class: "line", method: "dialog" }, field, h("button", { class: "button strong text" }, t("token.go")));
    const dialog = sheet(t("token"), h("p", {}, t("token.text")), form);
    dialog.addEventListener("close", () => resolve(field.value.trim()));
    field.focus();
  });
}

/** What shall become of a picture that was opened. @returns {Promise<"photo" | "sketch" | null>} */
export function askPlace() {
  return new Promise((resolve) => {
    /** @type {"photo" | "sketch" | null} */ let answer = null;
    const choose = (/** @type {"photo" | "sketch"} */ kind) => {
      answer = kind;
      dialog.close();
    };
    const card = (/** @type {"photo" | "sketch"} */ kind, /** @type {string} */ name) =>
      h("button", { type: "button", class: "option", on: { click: () => choose(kind) } }, icon(name), h("strong", {}, t(`place.${kind}`)), h("span", {}, t(`place.${kind}.text`)));
    const dialog = sheet(t("place"), h("div", { class: "options" }, card("photo", "render"), card("sketch", "ink")));
    dialog.addEventListener("close", () => resolve(answer));
  });
}
