// Pointers become samples of a pen and gestures of fingers. Nothing here knows what is drawn.

const TAP = 350; // milliseconds
const STILL = 12; // pixels that a finger of a tap may move
const PALM = 600; // milliseconds after a pen during which touches are a palm's
const TOGETHER = 140; // milliseconds within which a second finger makes a gesture of the first one's stroke

/**
 * @typedef {object} Sample
 * @property {number} x pixels of the element
 * @property {number} y
 * @property {number} pressure 0 to 1
 * @property {number[]} tilt degrees, to x and y; empty where none is known
 * @property {number} time as performance.now()
 */

/**
 * @typedef {object} Hand what is told
 * @property {(sample: Sample, event: PointerEvent) => boolean} down whether a stroke begins
 * @property {(samples: Sample[], predicted: Sample[]) => void} move
 * @property {() => void} up
 * @property {() => void} cancel it was no stroke
 * @property {(x: number, y: number) => void} hover
 * @property {(dx: number, dy: number, factor: number, x: number, y: number) => void} gesture
 * @property {(fingers: number) => void} tap
 * @property {() => boolean} panning whether a press moves the paper
 */

/** @param {PointerEvent} event @param {DOMRect} box @returns {Sample} */
function sample(event, box) {
  const pen = event.pointerType === "pen";
  const felt = pen || (event.pointerType === "touch" && event.pressure > 0 && event.pressure !== 0.5 && event.pressure < 1);
  return {
    x: event.clientX - box.left,
    y: event.clientY - box.top,
    pressure: felt || pen ? event.pressure : 0.5,
    tilt: pen && (event.tiltX || event.tiltY) ? [event.tiltX, event.tiltY] : [],
    time: event.timeStamp,
  };
}

/** @param {PointerEvent} event @returns {PointerEvent[]} all that came since the last; plain HTTP gives only the event itself */
const coalesced = (event) => {
  const all = event.getCoalescedEvents?.() ?? [];
  return all.length ? all : [event];
};

export class Pointers {
  /** @param {HTMLElement} element @param {Hand} hand */
  constructor(element, hand) {
    this.element = element;
    this.hand = hand;
    /** @type {Map<number, {x: number, y: number, startX: number, startY: number, time: number, type: string}>} */ this.down = new Map();
    /** @type {number | null} */ this.drawing = null;
    this.gesturing = false;
    this.moved = false;
    this.most = 0; // fingers of this touch
    this.began = 0;
    this.penSeen = false;
    this.penTime = -Infinity;
    element.addEventListener("pointerdown", (event) => this.#press(event));
    /** Whether the browser tells of points at once, and not with the next frame: over https, and on this computer. */ this.raw = "onpointerrawupdate" in element;
    /** @type {Sample[]} */ this.waiting = [];
    this.notBefore = 0;
    element.addEventListener("pointermove", (event) => this.#move(event));
    if (this.raw) element.addEventListener("pointerrawupdate", (event) => this.#early(/** @type {PointerEvent} */ (event)));
    for (const type of /** @type {const} */ (["pointerup", "pointercancel"])) element.addEventListener(type, (event) => this.#lift(event));
    element.addEventListener("wheel", (event) => this.#wheel(event), { passive: false });
    element.addEventListener("contextmenu", (event) => event.preventDefault());
  }

  /** @param {PointerEvent} event */
  #press(event) {
    if (event.pointerType === "pen") {
      this.penSeen = true;
      this.penTime = event.timeStamp;
    } else if (event.pointerType === "touch" && this.#isPalm(event)) return;
    this.element.setPointerCapture(event.pointerId);
    const box = this.element.getBoundingClientRect();
    const [x, y] = [event.clientX - box.left, event.clientY - box.top];
    this.down.set(event.pointerId, { x, y, startX: x, startY: y, time: event.timeStamp, type: event.pointerType });
    this.most = Math.max(this.down.size, this.down.size === 1 ? 1 : this.most);
    if (this.down.size === 1) [this.moved, this.began] = [false, event.timeStamp];
    if (this.down.size > 1) {
      this.#second(event);
      return;
    }
    const pans = event.button === 1 || this.hand.panning() || (event.pointerType === "touch" && this.penSeen);
    if (pans) {
      this.gesturing = true;
      event.preventDefault();
      return;
    }
    if (event.button !== 0 && event.button !== 5) return;
    if (this.hand.down(sample(event, box), event)) this.drawing = event.pointerId;
  }

  /** While a pen is at work, and shortly after. @param {PointerEvent} event */
  #isPalm(event) {
    const penDown = [...this.down.values()].some((each) => each.type === "pen");
    return penDown || (this.penSeen && event.timeStamp - this.penTime < PALM);
  }

  /** A further finger: what the first one drew meanwhile was no stroke. @param {PointerEvent} event */
  #second(event) {
    if (this.drawing === null) {
      this.gesturing = true;
      return;
    }
    const first = this.down.get(this.drawing);
    if (first?.type !== "touch" || event.timeStamp - first.time > TOGETHER * 4) return;
    this.hand.cancel();
    this.drawing = null;
    this.gesturing = true;
  }

  /** Points before their frame: at most half of the time goes into that, the rest waits for the frame. @param {PointerEvent} event */
  #early(event) {
    if (event.pointerId !== this.drawing) return;
    const box = this.element.getBoundingClientRect();
    this.waiting.push(...coalesced(event).map((each) => sample(each, box)));
    const start = performance.now();
    if (start < this.notBefore) return;
    this.hand.move(this.waiting.splice(0), []);
    const end = performance.now();
    this.notBefore = end + (end - start);
  }

  /** @param {PointerEvent} event */
  #move(event) {
    if (event.pointerType === "pen") [this.penSeen, this.penTime] = [true, event.timeStamp];
    const box = this.element.getBoundingClientRect();
    if (event.pointerId === this.drawing) {
      const samples = this.raw ? this.waiting.splice(0) : coalesced(event).map((each) => sample(each, box));
      this.hand.move(samples, (event.getPredictedEvents?.() ?? []).map((each) => sample(each, box)));
    } else if (this.gesturing && this.down.has(event.pointerId)) this.#pinch(event, box);
    this.hand.hover(event.clientX - box.left, event.clientY - box.top);
  }

  /** @param {PointerEvent} event @param {DOMRect} box */
  #pinch(event, box) {
    const before = middle([...this.down.values()]);
    const one = /** @type {{x: number, y: number, startX: number, startY: number}} */ (this.down.get(event.pointerId));
    [one.x, one.y] = [event.clientX - box.left, event.clientY - box.top];
    if (Math.hypot(one.x - one.startX, one.y - one.startY) > STILL) this.moved = true;
    const after = middle([...this.down.values()]);
    const factor = before.reach && after.reach ? after.reach / before.reach : 1;
    if (this.moved) this.hand.gesture(after.x - before.x, after.y - before.y, factor, after.x, after.y);
  }

  /** @param {PointerEvent} event */
  #lift(event) {
    if (!this.down.delete(event.pointerId)) return;
    if (event.pointerType === "pen") this.penTime = event.timeStamp;
    if (event.pointerId === this.drawing) {
      if (this.waiting.length) this.hand.move(this.waiting.splice(0), []);
      this.drawing = null;
      if (event.type === "pointercancel") this.hand.cancel();
      else this.hand.up();
    }
    if (this.down.size) return;
    const quick = event.timeStamp - this.began < TAP;
    if (this.gesturing && quick && !this.moved && this.most > 1) this.hand.tap(this.most);
    this.gesturing = false;
    this.most = 0;
  }

  /** A wheel zooms; two fingers on a touchpad move, and pinch with Ctrl. @param {WheelEvent} event */
  #wheel(event) {
    event.preventDefault();
    const box = this.element.getBoundingClientRect();
    const [x, y] = [event.clientX - box.left, event.clientY - box.top];
    const isWheel = event.deltaMode !== 0 || (Math.abs(event.deltaY) >= 60 && !event.deltaX);
    if (event.ctrlKey || event.metaKey || isWheel) {
      const lines = event.deltaMode === 1 ? 30 : 1;
      this.hand.gesture(0, 0, Math.exp((-event.deltaY * lines) / (event.ctrlKey && !isWheel ? 120 : 500)), x, y);
    } else this.hand.gesture(-event.deltaX, -event.deltaY, 1, x, y);
  }
}

/** @param {{x: number, y: number}[]} fingers @returns {{x: number, y: number, reach: number}} their middle, and how far they are from it */
function middle(fingers) {
  const x = fingers.reduce((sum, each) => sum + each.x, 0) / fingers.length;
  const y = fingers.reduce((sum, each) => sum + each.y, 0) / fingers.length;
  const reach = fingers.length > 1 ? fingers.reduce((sum, each) => sum + Math.hypot(each.x - x, each.y - y), 0) / fingers.length : 0;
  return { x, y, reach };
}
