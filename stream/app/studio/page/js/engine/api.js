// What is fetched beside the socket: pictures, uploads, the schema of settings.

export class Api {
  /** @param {string | null} token */
  constructor(token) {
    this.token = token;
  }

  /** @param {string} path @param {RequestInit} [more] @returns {Promise<Response>} refused: an Error with what the server said */
  async fetch(path, more = {}) {
    const headers = { ...more.headers, ...(this.token ? { Authorization: `Bearer ${this.token}` } : {}) };
    const answer = await fetch(path, { ...more, headers });
    if (answer.ok) return answer;
    const said = await answer.json().catch(() => ({}));
    throw new Error(said.text || `${path}: ${answer.status}`);
  }

  /** @param {string} path @returns {Promise<any>} */
  async json(path) {
    return (await this.fetch(path)).json();
  }

  /** @param {string} path @returns {Promise<Blob>} */
  async blob(path) {
    return (await this.fetch(path)).blob();
  }
}

/** Takes a token out of the address, where it came after "#", and keeps it for this tab. @returns {string | null} */
export function tokenOfAddress() {
  const found = new URLSearchParams(location.hash.slice(1)).get("token");
  if (found) {
    remember(found);
    history.replaceState(null, "", location.pathname + location.search);
    return found;
  }
  try {
    return sessionStorage.getItem("inkstream.token");
  } catch {
    return null; // a page that may keep nothing asks again after a reload
  }
}

/** @param {string} token */
export function remember(token) {
  try {
    sessionStorage.setItem("inkstream.token", token);
  } catch {
    // It holds until the page is closed.
  }
}
