// Beside the render: how it looks, the layers of the drawing, and every setting.

import { button, h, t } from "./dom.js";
import { layersTab } from "./layerstab.js";
import { lookTab } from "./looktab.js";
import { settingsTab } from "./settingstab.js";

const TABS = ["look", "layers", "settings"];

export class Panel extends HTMLElement {
  /** @param {import("../studio.js").Studio} studio @param {Record<string, (event?: any) => void>} acts */
  constructor(studio, acts) {
    super();
    const { prefs } = studio;
    /** @type {Record<string, HTMLElement>} */
    const bodies = { look: lookTab(studio, acts), layers: layersTab(studio, acts), settings: settingsTab(studio) };
    const heads = TABS.map((name) =>
      h("button", { type: "button", role: "tab", id: `tab-${name}`, "aria-controls": `body-${name}`, on: { click: () => prefs.set("panel", name) } }, t(`panel.${name}`)),
    );
    const list = h("div", { role: "tablist", "aria-label": t("panel") }, ...heads);
    this.append(h("header", {}, list, button("close", t("close"), () => prefs.set("panel", ""))));
    for (const name of TABS) {
      Object.assign(bodies[name], { id: `body-${name}`, tabIndex: -1 });
      bodies[name].setAttribute("role", "tabpanel");
      bodies[name].setAttribute("aria-labelledby", `tab-${name}`);
      this.append(bodies[name]);
    }
    list.addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => {
      const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      if (!step) return;
      const next = (TABS.indexOf(prefs.get("panel")) + step + TABS.length) % TABS.length;
      prefs.set("panel", TABS[next]);
      heads[next].focus();
    });
    const show = () => {
      const now = prefs.get("panel");
      this.hidden = now === "";
      TABS.forEach((name, at) => {
        bodies[name].hidden = name !== now;
        heads[at].setAttribute("aria-selected", String(name === now));
        heads[at].tabIndex = name === now ? 0 : -1;
      });
    };
    prefs.addEventListener("change", show);
    show();
  }
}

customElements.define("ink-panel", Panel);
