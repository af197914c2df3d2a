// Where the paper lies on the screen: one view for the drawing and the render beside it.

const MARGIN = 12; // around the whole paper; less where there is little room
const [LEAST, MOST] = [0.2, 24];

/** Event: "change". Zoom 1 shows the whole paper; `x` and `y` are what lies in the middle, in shares of the paper. */
export class View extends EventTarget {
  paper = { width: 512, height: 512 };
  zoom = 1;
  x = 0.5;
  y = 0.5;

  reset() {
    [this.zoom, this.x, this.y] = [1, 0.5, 0.5];
    this.dispatchEvent(new Event("change"));
  }

  /** @param {number} width @param {number} height of a pane @returns {{scale: number, left: number, top: number}} pixels of the screen */
  place(width, height) {
    const around = Math.min(width, height) < 420 ? MARGIN : 2 * MARGIN;
    const fit = Math.min((width - around) / this.paper.width, (height - around) / this.paper.height);
    const scale = Math.max(0.02, fit * this.zoom);
    const left = width / 2 - this.x * this.paper.width * scale;
    const top = height / 2 - this.y * this.paper.height * scale;
    return { scale, left, top };
  }

  /**
   * @param {number} dx @param {number} dy pixels that the paper is moved by
   * @param {number} factor @param {number} x @param {number} y that grows about this place of the pane
   * @param {number} width @param {number} height of the pane
   */
  move(dx, dy, factor, x, y, width, height) {
    const before = this.place(width, height);
    const [overX, overY] = [(x - before.left) / before.scale, (y - before.top) / before.scale];
    this.zoom = Math.max(LEAST, Math.min(MOST, this.zoom * factor));
    const { scale } = this.place(width, height);
    const [left, top] = [x + dx - overX * scale, y + dy - overY * scale];
    this.x = clamp((width / 2 - left) / (scale * this.paper.width));
    this.y = clamp((height / 2 - top) / (scale * this.paper.height));
    this.dispatchEvent(new Event("change"));
  }
}

/** @param {number} share */
const clamp = (share) => Math.max(-0.1, Math.min(1.1, share));
