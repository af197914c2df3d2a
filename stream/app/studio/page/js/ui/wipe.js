// The line between drawing and render: drawn by hand or with arrow keys.

import { h, t } from "./dom.js";

/** @param {import("../studio.js").Studio} studio @param {HTMLElement} panes @param {HTMLElement} screen @returns {HTMLElement} */
export function wipeHandle(studio, panes, screen) {
  const { prefs } = studio;
  const handle = h("div", { class: "wipe", role: "slider", tabIndex: 0, "aria-label": t("mode.wipe"), "aria-valuemin": "0", "aria-valuemax": "100" }, h("i", {}));
  const set = (/** @type {number} */ share) => prefs.set("wipe", Math.max(0, Math.min(1, share)));
  handle.addEventListener("pointerdown", (/** @type {PointerEvent} */ event) => handle.setPointerCapture(event.pointerId));
  handle.addEventListener("pointermove", (/** @type {PointerEvent} */ event) => {
    if (!handle.hasPointerCapture(event.pointerId)) return;
    const box = panes.getBoundingClientRect();
    set((event.clientX - box.left) / box.width);
  });
  handle.addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => {
    const step = { ArrowLeft: -0.02, ArrowRight: 0.02 }[event.key];
    if (step) (event.preventDefault(), event.stopPropagation(), set(prefs.get("wipe") + step));
  });
  const show = () => {
    const [mode, share] = [studio.elsewhere ? "render" : prefs.get("mode"), prefs.get("wipe")];
    handle.hidden = mode !== "wipe";
    handle.style.left = `${100 * share}%`;
    handle.setAttribute("aria-valuenow", String(Math.round(100 * share)));
    screen.style.clipPath = mode === "wipe" ? `inset(0 0 0 ${100 * share}%)` : "";
    screen.style.opacity = mode === "over" ? String(prefs.get("over")) : "";
    panes.dataset.mode = mode;
  };
  prefs.addEventListener("change", show);
  studio.addEventListener("session", show);
  show();
  return handle;
}
