// The page: puts its parts together and begins.

import { tokenOfAddress, remember } from "./engine/api.js";
import { Prefs } from "./prefs.js";
import { Studio } from "./studio.js";
import { askToken, showKeys, showShare } from "./ui/dialogs.js";
import { h, speak, sprite, t } from "./ui/dom.js";
import { rememberDrawings, showDrawings } from "./ui/drawings.js";
import { acceptFiles, chooseFile, copyRender, download, downloadKept, place } from "./ui/files.js";
import { listen } from "./ui/keys.js";
import { lookNow } from "./ui/looktab.js";
import { Panel } from "./ui/panel.js";
import { PromptBar } from "./ui/promptbar.js";
import { Rail } from "./ui/rail.js";
import { Screen } from "./ui/screen.js";
import { Stage } from "./ui/stage.js";
import { Strip } from "./ui/strip.js";
import { followTheme } from "./ui/theme.js";
import { Toasts } from "./ui/toasts.js";
import { TopBar } from "./ui/topbar.js";
import { Variations } from "./ui/variations.js";
import { wipeHandle } from "./ui/wipe.js";

const ROOMY = "(min-width: 1000px) and (min-height: 740px), (min-width: 740px) and (min-height: 960px)"; // where the history is seen unless it is put away

const prefs = new Prefs();
followTheme(prefs);
const [texts, icons] = await Promise.all([
  fetch("/page/texts.json").then((answer) => answer.json()),
  fetch("/page/icons.svg").then((answer) => answer.text()),
]);
speak(texts, prefs.get("language") || navigator.language.slice(0, 2));

const named = /^\/s\/([A-Za-z0-9_-]{16,64})/.exec(location.pathname);
const studio = new Studio({ session: named?.[1] ?? null, token: tokenOfAddress(), prefs });
const toasts = new Toasts();

/** @param {unknown} error */
function trouble(error) {
  const { code, message } = /** @type {any} */ (error);
  toasts.say(code === "offline" ? t("trouble.offline") : message || t(`trouble.${code}`));
}

/** @param {File} file @param {"photo" | "sketch" | null} [kind] */
const put = (file, kind = null) =>
  void place(studio, file, kind)
    .then((placed) => placed === "photo" && toasts.say(t("photo.placed"), { good: true }))
    .catch(trouble);

/** @param {string} type @param {Record<string, any>} [fields] */
const ask = (type, fields) => studio.connection.ask(type, fields).catch(trouble);

/** @type {Record<string, (event?: any) => void>} */
const acts = {
  undo: () => void studio.undo(),
  redo: () => void studio.redo(),
  freeze: () => void ask("freeze", { frozen: !studio.status.frozen }),
  history: () => (prefs.set("strip", !showsStrip()), layout()),
  panel: () => prefs.set("panel", prefs.get("panel") ? "" : "look"),
  seed: () => void ask("seed", { seed: null }),
  vary: () => void variations.begin(),
  keep: () => void ask("keep", { moment: strip.chosen }),
  finish: () => void (studio.status.finished != null || studio.status.finishing ? ask("cancel") : ask("finish", { moment: strip.chosen })),
  open: () => chooseFile((file) => put(file)),
  photo: () => chooseFile((file) => put(file, "photo")),
  clear: () => {
    studio.clear();
    toasts.say(t("cleared"), { act: { label: t("undo"), run: () => studio.undo() } });
  },
  begin: () => location.assign("/"),
  drawings: () => showDrawings(studio),
  png: () => void download(studio, "png").catch(trouble),
  ora: () => void download(studio, "ora").catch(trouble),
  copy: () => void copyRender(studio).then(() => toasts.say(t("copied"), { good: true })).catch(trouble),
  share: () => void showShare(studio),
  full: () => void (document.fullscreenElement ? document.exitFullscreen() : document.documentElement.requestFullscreen().catch(trouble)),
  help: showKeys,
  keepLook: () => {
    const values = lookNow(studio);
    const name = String(values.prompt || t("look.unnamed")).slice(0, 60);
    prefs.set("looks", [{ name, values }, ...prefs.get("looks").filter((look) => look.name !== name)].slice(0, 60));
    toasts.say(t("look.kept", { name }), { good: true });
  },
};

const showsStrip = () => prefs.get("strip") ?? matchMedia(ROOMY).matches;

function layout() {
  strip.hidden = !showsStrip();
  document.body.classList.toggle("with-strip", !strip.hidden);
  document.body.classList.toggle("elsewhere", studio.elsewhere);
  document.body.classList.toggle("with-panel", prefs.get("panel") !== "");
  if (!strip.hidden) strip.wake();
  studio.dispatchEvent(new CustomEvent("layout"));
}

const stage = new Stage(studio);
const screen = new Screen(studio);
const rail = new Rail(studio, stage.hands);
const strip = new Strip(studio, screen);
const promptbar = new PromptBar(studio, acts);
const panel = new Panel(studio, acts);
const variations = new Variations(studio);
const topbar = new TopBar(studio, acts);
const panes = h("div", { class: "panes" }, stage, screen);
panes.append(wipeHandle(studio, panes, screen));
topbar.setAttribute("role", "banner");
topbar.prepend(h("h1", { class: "unseen" }, "inkstream"));
document.body.replaceChildren(sprite(icons), topbar, h("main", {}, rail, h("div", { class: "middle" }, panes, strip, promptbar), panel), toasts, variations);
acceptFiles(panes, put);
layout();
prefs.addEventListener("change", layout);
matchMedia(ROOMY).addEventListener("change", layout);

listen(
  {
    ...Object.fromEntries(Object.entries({ n: "pencil", b: "ink", m: "marker", g: "fill", e: "eraser" }).map(([key, tool]) => [key, () => prefs.set("tool", tool)])),
    ...Object.fromEntries(["beside", "over", "wipe", "render"].map((mode, at) => [String(at + 1), () => prefs.set("mode", mode)])),
    "[": () => rail.grow(-1),
    "]": () => rail.grow(1),
    c: () => rail.colours(),
    l: () => rail.cycle("shape"),
    s: () => rail.cycle("symmetry"),
    v: () => rail.cycle("guides"),
    0: () => studio.view.reset(),
    f: acts.freeze, r: acts.seed, t: acts.vary, k: acts.keep, y: acts.history, p: acts.panel, o: acts.open,
    "shift+f": acts.full, "?": acts.help, "shift+?": acts.help,
    "/": () => (promptbar.field.focus(), promptbar.field.select()),
    "\\": () => document.body.classList.toggle("bare"),
    Escape: () => (document.body.classList.remove("bare"), strip.leave()),
  },
  { z: acts.undo, "shift+z": acts.redo, y: acts.redo, s: acts.png, c: acts.copy },
  { stage, bare: () => document.body.classList.toggle("bare") },
);

studio.addEventListener("session", (event) => {
  const session = /** @type {CustomEvent} */ (event).detail;
  layout();
  if (session) history.replaceState(null, "", `/s/${session}${location.search}`);
});
stage.addEventListener("picked", (/** @type {any} */ event) => {
  studio.ofClass = null;
  prefs.set("colour", event.detail);
  studio.dispatchEvent(new CustomEvent("class"));
});
studio.addEventListener("notice", (/** @type {any} */ { detail }) => toasts.say(detail.text, { good: detail.good }));
studio.addEventListener("trouble", (/** @type {any} */ { detail }) => trouble(detail));
studio.addEventListener("locked", () => toasts.say(t("layer.islocked")));
studio.addEventListener("saved", (/** @type {any} */ { detail }) => {
  const get = () => void downloadKept(studio, detail.name).catch(trouble);
  toasts.say(detail.text || t("saved"), { good: Boolean(detail.name), ...(detail.name ? { act: { label: t("download"), run: get } } : {}) });
});
studio.addEventListener("link", (/** @type {any} */ { detail }) => {
  if (detail.link === "cut" && !studio.connection.unkept?.safe) toasts.say(t("unkept"));
  if (detail.link === "ended" && detail.bye) void ended(detail.bye);
});

/** @param {{code: string, text: string}} bye */
async function ended({ code, text }) {
  if (code === "unknown_session") studio.moveToNew();
  else if (code === "token") {
    const token = await askToken();
    if (!token) return;
    remember(token);
    studio.connection.token = studio.api.token = token;
    studio.connection.restart();
  } else {
    const again = () => (code === "protocol" ? location.reload() : studio.connection.restart());
    toasts.say(text, { act: { label: t(code === "protocol" ? "reload" : "again"), run: again } });
  }
}

rememberDrawings(studio);

/** For whoever looks at it from outside: tests, and people who measure. */
Object.assign(window, { inkstream: { studio, stage, screen } });
studio.connection.start();
