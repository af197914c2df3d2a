// Changes of settings under a moving slider: the newest one is sent as soon as the one before it was answered.

/** @param {import("../studio.js").Studio} studio @returns {(changes: Record<string, any>) => void} */
export function sender(studio) {
  /** @type {Record<string, any> | null} */ let waiting = null;
  let busy = false;
  const next = () => {
    if (busy || !waiting) return;
    const changes = waiting;
    waiting = null;
    busy = true;
    studio
      .set(changes)
      .catch((error) => studio.dispatchEvent(new CustomEvent("trouble", { detail: error })))
      .finally(() => {
        busy = false;
        next();
      });
  };
  return (changes) => {
    waiting = merged(waiting ?? {}, changes);
    next();
  };
}

/** @param {Record<string, any>} one @param {Record<string, any>} other @returns {Record<string, any>} */
function merged(one, other) {
  const made = { ...one };
  for (const [name, value] of Object.entries(other)) {
    const isMapping = value !== null && typeof value === "object" && !Array.isArray(value);
    made[name] = isMapping ? merged(made[name] ?? {}, value) : value;
  }
  return made;
}
