// What viewers see: the render and nothing else, on air. It never shows an error: it keeps the last picture and comes again.

import { Connection } from "./engine/connection.js";
import { newClient } from "./engine/protocol.js";
import { Renders } from "./engine/renders.js";
import { tokenOfAddress } from "./engine/api.js";

const AGAIN = 3000; // milliseconds, also after an ending that says that it makes no sense: a show goes on

const view = /^\/view\/([^/]+)/.exec(location.pathname)?.[1] ?? "";
const options = new URLSearchParams(location.search);
document.documentElement.classList.toggle("transparent", options.has("transparent") && options.get("transparent") !== "0");
document.documentElement.classList.toggle("mirror", options.has("mirror"));

const canvas = /** @type {HTMLCanvasElement} */ (document.querySelector("canvas"));
const context = canvas.getContext("2d");
const url = `${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/ws`;
const connection = new Connection({ url, client: newClient(), session: view, role: "view", token: tokenOfAddress() });
const renders = new Renders(connection);

renders.addEventListener("render", (event) => {
  const { bitmap } = /** @type {CustomEvent} */ (event).detail;
  if (canvas.width !== bitmap.width || canvas.height !== bitmap.height) [canvas.width, canvas.height] = [bitmap.width, bitmap.height];
  context?.drawImage(bitmap, 0, 0);
  canvas.hidden = false;
});
connection.addEventListener("link", (event) => {
  if (/** @type {CustomEvent} */ (event).detail.link === "ended") setTimeout(() => connection.restart(), AGAIN);
});
connection.start();
