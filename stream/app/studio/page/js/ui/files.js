// Pictures in and out: opened, dropped, pasted; saved, copied.

import { askPlace } from "./dialogs.js";
import { h, t } from "./dom.js";

const TYPES = "image/png,image/jpeg,image/webp";

/** @typedef {import("../studio.js").Studio} Studio */

/** @param {(file: File) => void} take */
export function chooseFile(take) {
  const input = h("input", { type: "file", accept: TYPES, on: { change: () => input.files[0] && take(input.files[0]) } });
  input.click();
}

/** @param {Studio} studio @param {Blob} file @param {"photo" | "sketch" | null} [kind] null asks @returns {Promise<string | null>} what it became */
export async function place(studio, file, kind = null) {
  const wanted = kind ?? (await askPlace());
  if (!wanted) return null;
  const answer = await studio.api.fetch(studio.path("images"), { method: "POST", body: file, headers: { "Content-Type": file.type || "image/png" } });
  const { image, width, height } = await answer.json();
  const { paper } = studio.raster;
  const factor = Math.min(paper.width / width, paper.height / height);
  const [w, high] = [width * factor, height * factor];
  const layer = `${wanted}-${studio.client.slice(0, 6)}-${studio.connection.number + 1}`;
  const title = "name" in file ? String(file.name).slice(0, 80) : "";
  studio.operate({ op: "layer", layer, kind: wanted, title, ...(wanted === "photo" ? { opacity: 0.5 } : {}), place: wanted === "photo" ? 0 : undefined });
  studio.operate({ op: "image", layer, image, x: (paper.width - w) / 2, y: (paper.height - high) / 2, width: w, height: high });
  studio.touch();
  studio.dispatchEvent(new CustomEvent("layer"));
  return wanted;
}

/** @param {HTMLElement} element @param {(file: File) => void} put */
export function acceptFiles(element, put) {
  const fileOf = (/** @type {DataTransfer | null} */ data) => [...(data?.files ?? [])].find((file) => TYPES.includes(file.type));
  element.addEventListener("dragover", (event) => {
    event.preventDefault();
    element.classList.add("dropping");
  });
  element.addEventListener("dragleave", () => element.classList.remove("dropping"));
  element.addEventListener("drop", (event) => {
    event.preventDefault();
    element.classList.remove("dropping");
    const file = fileOf(event.dataTransfer);
    if (file) put(file);
  });
  document.addEventListener("paste", (event) => {
    const file = fileOf(event.clipboardData);
    if (file) put(file);
  });
}

/** @param {Studio} studio @param {"png" | "ora"} kind */
export async function download(studio, kind) {
  save(await studio.api.blob(studio.path(`render.${kind}`)), `${named(studio)}.${kind}`);
}

/** A file that was kept by the server. @param {Studio} studio @param {string} name */
export async function downloadKept(studio, name) {
  const whole = /\.\w+$/.test(name) ? name : `${name}.png`;
  save(await studio.api.blob(studio.path(`kept/${whole}`)), whole);
}

/** @param {Blob} blob @param {string} name */
function save(blob, name) {
  const link = h("a", { href: URL.createObjectURL(blob), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

/** @param {Studio} studio */
function named(studio) {
  const words = String(studio.settings.prompt ?? "").replace(/[^\p{L}\p{N}]+/gu, "-").replace(/^-|-$/g, "").slice(0, 48);
  return words || "inkstream";
}

/** @param {Studio} studio @returns {Promise<void>} */
export async function copyRender(studio) {
  if (!navigator.clipboard?.write) throw new Error(t("copy.insecure"));
  const blob = studio.api.blob(studio.path("render.png"));
  await navigator.clipboard.write([new ClipboardItem({ "image/png": blob })]);
}

