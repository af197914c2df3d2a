// Elements in one expression, icons of the sprite, and texts in the person's language.

/** @typedef {Record<string, any>} Props */

/**
 * @param {string} tag
 * @param {Props} [props] `on` listeners by event, `class`, `data` and attributes; others are properties
 * @param {...(Node | string | null | false | undefined)} children
 * @returns {any}
 */
export function h(tag, props = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (name === "on") for (const [type, listener] of Object.entries(value)) element.addEventListener(type, listener);
    else if (name === "class") element.className = value;
    else if (name === "data") Object.assign(element.dataset, value);
    else if (name.startsWith("aria") || name.includes("-") || name === "role" || name === "for" || name === "popover" || name === "list") {
      if (value !== false && value != null) element.setAttribute(name, String(value));
    } else if (value != null) /** @type {any} */ (element)[name] = value;
  }
  element.append(...children.filter((child) => child != null && child !== false).map((child) => /** @type {Node} */ (child)));
  return element;
}

/** @param {string} name @returns {SVGElement} */
export function icon(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS("http://www.w3.org/2000/svg", "use");
  use.setAttribute("href", `#icon-${name}`);
  svg.append(use);
  return svg;
}

/** The drawings of all icons, in the page itself: so they are there when the server is not. @param {string} text @returns {Element} */
export function sprite(text) {
  const svg = new DOMParser().parseFromString(text, "image/svg+xml").documentElement;
  svg.setAttribute("class", "unseen");
  svg.setAttribute("aria-hidden", "true");
  return document.adoptNode(svg);
}

/**
 * A button with an icon; its name is its label and, with its key, its tooltip.
 * @param {string} name of the icon @param {string} label @param {(event: MouseEvent) => void} click @param {{key?: string, pressed?: boolean, class?: string, text?: string, data?: Record<string, string>}} [more]
 * @returns {HTMLButtonElement}
 */
export function button(name, label, click, { key = "", pressed, class: style = "", text = "", data = {} } = {}) {
  return h(
    "button",
    {
      type: "button",
      class: `button ${style}`,
      title: key ? `${label}  (${key})` : label,
      "aria-label": label,
      "aria-pressed": pressed,
      "aria-keyshortcuts": key.length === 1 ? key : null,
      data,
      on: { click },
    },
    icon(name),
    text && h("span", {}, text),
  );
}

let language = "en";
/** @type {Record<string, Record<string, string>>} */
let texts = {};

/** @param {Record<string, Record<string, string>>} all @param {string} wanted */
export function speak(all, wanted) {
  texts = all;
  language = ["en", "de", "ru", "zh"].includes(wanted) ? wanted : "en";
  document.documentElement.lang = language === "zh" ? "zh-Hans" : language;
}

/** @param {string} key @param {Record<string, string | number>} [values] for {names} in it @returns {string} */
export function t(key, values = {}) {
  const text = texts[key]?.[language] ?? texts[key]?.en ?? key;
  return text.replace(/\{(\w+)\}/g, (whole, name) => String(values[name] ?? whole));
}

/** Arrow keys go from one button of a toolbar to the next; Tab leaves it. @param {HTMLElement} bar @param {boolean} [upright] */
export function roving(bar, upright = false) {
  const all = () => /** @type {HTMLElement[]} */ ([...bar.querySelectorAll("button:not([disabled]):not([hidden])")].filter((each) => each.closest("[popover]") === null));
  const only = (/** @type {HTMLElement | undefined} */ one) => all().forEach((each) => (each.tabIndex = each === one ? 0 : -1));
  only(all()[0]);
  bar.setAttribute("role", "toolbar");
  bar.setAttribute("aria-orientation", upright ? "vertical" : "horizontal");
  bar.addEventListener("focusin", (event) => only(/** @type {HTMLElement} */ (event.target).closest("button") ?? undefined));
  bar.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    const buttons = all();
    const at = buttons.indexOf(/** @type {HTMLElement} */ (document.activeElement));
    if (!step || at < 0) return;
    event.preventDefault();
    buttons[(at + step + buttons.length) % buttons.length].focus();
  });
}

/** Opens a popover beside what it belongs to. @param {HTMLElement} pop @param {HTMLElement} anchor @param {"right" | "below" | "above"} side */
export function openBeside(pop, anchor, side) {
  pop.showPopover();
  const [at, own] = [anchor.getBoundingClientRect(), pop.getBoundingClientRect()];
  let [left, top] = [at.left, at.bottom + 6];
  if (side === "right") [left, top] = [at.right + 8, at.top];
  if (side === "above") top = at.top - own.height - 6;
  pop.style.left = `${Math.max(8, Math.min(left, innerWidth - own.width - 8))}px`;
  pop.style.top = `${Math.max(8, Math.min(top, innerHeight - own.height - 8))}px`;
}
