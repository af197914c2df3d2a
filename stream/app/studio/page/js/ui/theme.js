// Light, dark, or what the system has.

export const THEMES = ["system", "light", "dark"];

/** @param {import("../prefs.js").Prefs} prefs */
export function followTheme(prefs) {
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const show = () => {
    const wanted = prefs.get("theme");
    document.documentElement.dataset.theme = wanted === "system" ? (dark.matches ? "dark" : "light") : wanted;
  };
  dark.addEventListener("change", show);
  prefs.addEventListener("change", show);
  show();
}
