// Above the drawing: back and forth, how the render is seen, what goes on, and the menu.

import { button, h, icon, openBeside, roving, t } from "./dom.js";
import { menu } from "./menu.js";
import { StatusPill } from "./status.js";

const MODES = ["beside", "over", "wipe", "render"];

export class TopBar extends HTMLElement {
  /** @param {import("../studio.js").Studio} studio @param {Record<string, (event?: any) => void>} acts */
  constructor(studio, acts) {
    super();
    const { prefs } = studio;
    const undo = button("undo", t("undo"), acts.undo, { key: "Ctrl+Z" });
    const redo = button("redo", t("redo"), acts.redo, { key: "Ctrl+Shift+Z" });
    const modes = MODES.map((mode, at) =>
      button(mode, t(`mode.${mode}`), () => prefs.set("mode", mode), { key: String(at + 1), pressed: false, class: "segment", data: { mode } }),
    );
    const over = h("input", {
      type: "range",
      class: "slim",
      min: "0",
      max: "1",
      step: "0.01",
      value: String(prefs.get("over")),
      "aria-label": t("mode.over.opacity"),
      title: t("mode.over.opacity"),
      on: { input: (/** @type {any} */ event) => prefs.set("over", Number(event.target.value)) },
    });
    const freeze = button("freeze", t("freeze"), acts.freeze, { key: "F", pressed: false });
    const history = button("history", t("history"), acts.history, { key: "Y", pressed: false });
    const panel = button("panel", t("panel"), acts.panel, { key: "P", pressed: false });
    const more = button("menu", t("menu"), () => openBeside(pop, more, "below"));
    more.setAttribute("aria-haspopup", "menu");
    const pop = menu(studio, acts);
    const status = new StatusPill(studio);
    this.append(
      h("div", { class: "group start" }, h("span", { class: "mark", title: "inkstream" }, icon("mark")), undo, redo),
      h("div", { class: "group segments", "aria-label": t("mode") }, ...modes, over),
      h("div", { class: "group end" }, status, freeze, history, panel, more, pop),
    );
    for (const group of this.querySelectorAll(".group")) roving(/** @type {HTMLElement} */ (group));
    const show = () => {
      const mode = prefs.get("mode");
      for (const each of modes) each.setAttribute("aria-pressed", String(each.dataset.mode === mode));
      over.hidden = mode !== "over";
      panel.setAttribute("aria-pressed", String(prefs.get("panel") !== ""));
      history.setAttribute("aria-pressed", String(document.body.classList.contains("with-strip")));
    };
    prefs.addEventListener("change", show);
    studio.addEventListener("layout", show);
    studio.addEventListener("drawing", () => {
      undo.disabled = studio.drawing.undoable(studio.alone) === null;
      redo.disabled = studio.undone.length === 0;
    });
    undo.disabled = redo.disabled = true;
    studio.addEventListener("status", () => {
      const frozen = Boolean(studio.status.frozen);
      freeze.setAttribute("aria-pressed", String(frozen));
      freeze.replaceChildren(icon(frozen ? "go" : "freeze"));
      freeze.setAttribute("aria-label", t(frozen ? "unfreeze" : "freeze"));
    });
    show();
  }
}

customElements.define("ink-topbar", TopBar);
