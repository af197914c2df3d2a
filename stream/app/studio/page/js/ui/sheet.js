// A sheet over the page, with a title and a way out.

import { h, icon, t } from "./dom.js";

/** @param {string} title @param {...Node} children @returns {any} */
export function sheet(title, ...children) {
  const dialog = h(
    "dialog",
    { class: "sheet", "aria-label": title, tabIndex: -1 },
    h("header", {}, h("h2", {}, title), h("button", { type: "button", class: "button", "aria-label": t("close"), on: { click: () => dialog.close() } }, icon("close"))),
    ...children,
  );
  dialog.addEventListener("close", () => dialog.remove());
  dialog.addEventListener("click", (/** @type {MouseEvent} */ event) => event.target === dialog && dialog.close());
  document.body.append(dialog);
  dialog.showModal();
  dialog.focus(); // and not its first button, which nobody means
  return dialog;
}
