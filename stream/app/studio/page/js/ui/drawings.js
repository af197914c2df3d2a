// The drawings of this browser: where it was, so that a new one takes none away.

import { h, t } from "./dom.js";
import { sheet } from "./sheet.js";

const KEY = "inkstream.drawings";
const MOST = 24;
const SIDE = 160; // pixels of a small picture
const EVERY = 20_000; // milliseconds between two of them

/** @typedef {{session: string, at: number, title: string, picture: string}} Known */

/** @returns {Known[]} the newest first */
function known() {
  try {
    const found = JSON.parse(localStorage.getItem(KEY) ?? "[]");
    return found.filter((/** @type {any} */ each) => /^[\w-]{16,64}$/.test(each?.session) && /^(data:image\/|$)/.test(each.picture));
  } catch {
    return [];
  }
}

/** @param {import("../studio.js").Studio} studio */
function remember(studio) {
  const { session } = studio.connection;
  if (!session || studio.drawing.empty) return;
  const title = String(studio.settings.prompt ?? "").slice(0, 80);
  const others = known().filter((each) => each.session !== session);
  const all = [{ session, at: Date.now(), title, picture: small(studio) }, ...others].slice(0, MOST);
  try {
    localStorage.setItem(KEY, JSON.stringify(all));
  } catch {
    // Full: the drawing is on the server all the same.
  }
}

/** What it looks like: its render, or what is drawn. @param {import("../studio.js").Studio} studio @returns {string} */
function small(studio) {
  const { raster, renders } = studio;
  const canvas = document.createElement("canvas");
  const factor = SIDE / Math.max(raster.size.width, raster.size.height);
  [canvas.width, canvas.height] = [Math.round(raster.size.width * factor), Math.round(raster.size.height * factor)];
  const context = canvas.getContext("2d");
  if (!context) return "";
  context.fillStyle = raster.paper.colour;
  context.fillRect(0, 0, canvas.width, canvas.height);
  const pictures = renders.bitmap ? [renders.bitmap] : raster.layers.map((layer) => layer.canvas);
  for (const picture of pictures) context.drawImage(picture, 0, 0, canvas.width, canvas.height);
  return canvas.toDataURL("image/jpeg", 0.8);
}

/** @param {import("../studio.js").Studio} studio */
export function rememberDrawings(studio) {
  setInterval(() => document.hidden || remember(studio), EVERY);
  addEventListener("pagehide", () => remember(studio));
}

/** @param {import("../studio.js").Studio} studio */
export function showDrawings(studio) {
  remember(studio);
  const cards = known().map(({ session, at, title, picture }) =>
    h(
      "a",
      { class: "card", href: `/s/${session}`, "aria-current": session === studio.connection.session ? "page" : null },
      h("img", { src: picture, alt: "" }),
      h("span", {}, title || t("drawings.untitled")),
      h("time", { dateTime: new Date(at).toISOString() }, new Date(at).toLocaleString(document.documentElement.lang, { dateStyle: "medium", timeStyle: "short" })),
    ),
  );
  const dialog = sheet(t("drawings"), cards.length ? h("div", { class: "grid" }, ...cards) : h("p", {}, t("drawings.none")));
  dialog.classList.add("wide");
}
