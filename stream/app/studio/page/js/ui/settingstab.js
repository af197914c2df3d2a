// Every setting, from the schema of the one model that the server has: its group, help, limits and default.

import { choice, entry, slider, toggle } from "./controls.js";
import { h, icon, t } from "./dom.js";
import { sender } from "./sender.js";

const GROUPS = ["drawing", "loop", "conditioning", "weights", "running"];
/** These have places of their own. */
const ELSEWHERE = new Set(["prompt", "drawing_influence", "lora_dict"]);
const FEW = 400; // steps that a slider can be set to; more are typed

/** @param {import("../studio.js").Studio} studio @returns {HTMLElement} */
export function settingsTab(studio) {
  const body = h("div", { class: "body" });
  const search = h("input", { type: "search", class: "field", placeholder: t("settings.search"), "aria-label": t("settings.search") });
  const send = sender(studio);
  /** @type {(() => void)[]} */ let shows = [];
  let loaded = false;
  const load = async () => {
    if (loaded || !studio.connection.welcome) return;
    loaded = true;
    try {
      const schema = await studio.api.json(studio.connection.welcome.schema_url);
      const made = groups(schema, studio, send);
      shows = made.flatMap((each) => each.shows);
      body.replaceChildren(search, ...made.map((each) => each.element));
      shows.forEach((show) => show());
    } catch {
      loaded = false; // tried again with the next change
    }
  };
  search.addEventListener("input", () => {
    const wanted = search.value.trim().toLowerCase();
    for (const each of body.querySelectorAll(".control")) each.hidden = Boolean(wanted) && !(each.textContent ?? "").toLowerCase().includes(wanted);
    for (const each of body.querySelectorAll("details")) each.open = Boolean(wanted) || each.dataset.group === "drawing";
  });
  studio.addEventListener("settings", () => (loaded ? shows.forEach((show) => show()) : void load()));
  return body;
}

/** @param {any} schema @param {import("../studio.js").Studio} studio @param {(changes: Record<string, any>) => void} send */
function groups(schema, studio, send) {
  const fields = /** @type {[string, any][]} */ (Object.entries(schema.properties)).filter(([name]) => !ELSEWHERE.has(name));
  const names = [...GROUPS, ...new Set(fields.map(([, field]) => field["x-group"]).filter((group) => !GROUPS.includes(group)))];
  return names.flatMap((group) => {
    const made = fields.filter(([, field]) => field["x-group"] === group).map(([name, field]) => control(name, field, studio, send));
    if (!made.length) return [];
    const element = h("details", { open: group === "drawing", data: { group } }, h("summary", {}, t(`group.${group}`), icon("down")), ...made.map((each) => each.element));
    return [{ element, shows: made.map((each) => each.show) }];
  });
}

/** @param {string} name @param {any} field @param {import("../studio.js").Studio} studio @param {(changes: Record<string, any>) => void} send */
function control(name, field, studio, send) {
  const label = name[0].toUpperCase() + name.slice(1).replaceAll("_", " ");
  const same = () => JSON.stringify(studio.settings[name]) === JSON.stringify(field.default);
  const fixed = field["x-change"] === "never";
  const access = { get: () => studio.settings[name], set: (/** @type {any} */ value) => send({ [name]: value }), ...(fixed ? {} : { reset: () => send({ [name]: field.default }), isDefault: same }) };
  const when = { now: "", soon: t("change.soon"), never: t("change.never") }[/** @type {"now"} */ (field["x-change"])] ?? "";
  const help = [field.description, when].filter(Boolean).join(" ");
  const made = kindOf(label, field, access, help);
  if (fixed) for (const each of made.element.querySelectorAll("input, select")) each.setAttribute("disabled", "");
  return made;
}

/** @param {string} label @param {any} field @param {import("./controls.js").Access} access @param {string} help */
function kindOf(label, field, access, help) {
  if (field.enum) return choice(label, field.enum, access, help);
  if (field.type === "boolean") return toggle(label, access, help);
  const auto = field.anyOf?.find((/** @type {any} */ each) => each.const === "auto");
  const number = auto && field.anyOf.find((/** @type {any} */ each) => each.type === "number");
  if (number) {
    // Where the program chooses, the slider stands in the middle; turned, it says a number, and "reset" leaves it to the program again.
    const get = () => (access.get() === "auto" ? (number.minimum + number.maximum) / 2 : access.get());
    return slider(label, { min: number.minimum, max: number.maximum, step: 1 }, { ...access, get }, help);
  }
  const isNumber = field.type === "number" || field.type === "integer";
  const { minimum: min, maximum: max } = field;
  if (isNumber && min != null && max != null && (field.type === "number" || max - min <= FEW)) {
    const step = field.type === "integer" ? 1 : (max - min) / 100 > 0.1 ? 0.1 : 0.01;
    return slider(label, { min, max, step }, access, help);
  }
  return entry(label, access, help, field.type === "string");
}
