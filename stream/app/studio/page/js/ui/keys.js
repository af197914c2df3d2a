// Keys of the page. While something is typed they are letters.

/** @param {EventTarget | null} target */
const isTyping = (target) =>
  target instanceof HTMLElement && (target.matches("textarea, select, input:not([type=range]):not([type=checkbox])") || target.isContentEditable);

/**
 * @param {Record<string, () => void>} keys what a key does, by its letter
 * @param {Record<string, () => void>} chords what it does with Ctrl or Cmd
 * @param {{stage: any, bare: () => void}} more
 */
export function listen(keys, chords, { stage, bare }) {
  let byHand = false; // the last that happened was on the paper: then Tab hides all; else it goes on to the next control
  addEventListener(
    "pointerdown",
    (event) => {
      byHand = stage.contains(/** @type {Node} */ (event.target));
      document.body.dataset.by = "hand";
    },
    true,
  );
  addEventListener("keydown", (event) => {
    if (event.key === "Tab" || event.key.startsWith("Arrow")) document.body.dataset.by = "key";
    if (document.querySelector("dialog[open]")) return;
    if (event.key === "Shift") stage.hands.shift = true;
    if (isTyping(event.target)) return;
    if (event.ctrlKey || event.metaKey) {
      const chord = chords[`${event.shiftKey ? "shift+" : ""}${event.key.toLowerCase()}`];
      if (chord && !(event.key.toLowerCase() === "c" && String(getSelection()))) (event.preventDefault(), chord());
      return;
    }
    if (event.key === "Tab" && byHand && document.activeElement === stage && !event.shiftKey) {
      event.preventDefault();
      bare();
      return;
    }
    if (event.key === "Tab") byHand = false;
    if (event.key === " " && !(event.target instanceof HTMLButtonElement)) {
      event.preventDefault();
      stage.space = true;
      stage.classList.add("panning");
      return;
    }
    if (event.altKey || event.target instanceof HTMLInputElement) return;
    const act = keys[event.shiftKey && event.key.length === 1 ? `shift+${event.key.toLowerCase()}` : event.key.toLowerCase()] ?? keys[event.key];
    if (!act) return;
    if (event.key !== "Escape") event.preventDefault(); // it closes what is open, too
    act();
  });
  addEventListener("keyup", (event) => {
    if (event.key === "Shift") stage.hands.shift = false;
    if (event.key !== " ") return;
    stage.space = false;
    stage.classList.remove("panning");
  });
  addEventListener("blur", () => {
    stage.space = stage.hands.shift = false;
    stage.classList.remove("panning");
  });
}
