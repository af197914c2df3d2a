// Pictures of the drawing: for the server, for filling and picking colours, for the screen.

import { UNDECIDED } from "../engine/protocol.js";
import { figures } from "./brushes.js";
import { Labels, labelled } from "./labels.js";
import { newCanvas } from "./layers.js";

/** @typedef {import("../studio.js").Studio} Studio */
/** @typedef {import("./layers.js").Layer} Layer */

/** @typedef {CanvasRenderingContext2D | OffscreenCanvasRenderingContext2D} Context */

/** @type {OffscreenCanvasRenderingContext2D | null} */ let small = null;
/** @type {OffscreenCanvasRenderingContext2D | null} */ let paperSized = null;
/** @type {CanvasRenderingContext2D | null} */ let scratch = null;

/** @param {number} width @param {number} height @param {boolean} [read] whether its pixels are wanted */
function newOffscreen(width, height, read = false) {
  const context = new OffscreenCanvas(width, height).getContext("2d", { alpha: false, willReadFrequently: read });
  return /** @type {OffscreenCanvasRenderingContext2D} */ (context);
}

/** @param {CanvasRenderingContext2D | null} context @param {number} width @param {number} height */
function sized(context, width, height) {
  if (context && context.canvas.width === width && context.canvas.height === height) return context;
  const made = newCanvas(width, height);
  made.imageSmoothingQuality = "high";
  return made;
}

/** What the server renders. @param {Studio} studio @returns {import("../engine/pictures.js").Drawn} */
export function composed(studio) {
  const { raster } = studio;
  raster.sync();
  const { width, height } = raster.size;
  if (small?.canvas.width !== width || small.canvas.height !== height) small = newOffscreen(width, height);
  drawLayers(small, studio, (layer) => layer.kind !== "photo" && layer.kind !== "labels", "render", width / raster.paper.width);
  const { classes, instances } = classesOf(studio, width, height);
  return { sketch: small.canvas.transferToImageBitmap(), labels: classes, instances };
}

/** The painted classes, also those that are being painted; of several layers the upper one counts. @param {Studio} studio @param {number} width @param {number} height */
function classesOf(studio, width, height) {
  const { raster } = studio;
  const made = new Labels(width, height);
  let any = false;
  const onLabels = raster.live.filter(({ op }) => op.of_class != null || raster.layer(op.layer)?.labels);
  const layers = raster.layers.filter((layer) => layer.labels && layer.visible && !layer.gone);
  for (const { labels } of layers) any = over(made, /** @type {Labels} */ (labels)) || any;
  for (const { op, points } of onLabels) {
    labelled(made, op, figures(op, points, false), width / raster.paper.width);
    any ||= op.of_class != null;
  }
  return any ? made : { classes: null, instances: null };
}

/** Lays labels over others. @param {Labels} below @param {Labels} above @returns {boolean} whether there was anything */
function over(below, above) {
  let any = false;
  if (above.instances) below.instances ??= new Uint16Array(below.classes.length);
  for (let at = 0; at < above.classes.length; at += 1) {
    if (above.classes[at] === UNDECIDED) continue;
    any = true;
    below.classes[at] = above.classes[at];
    if (below.instances) below.instances[at] = above.instances?.[at] ?? 0;
  }
  return any;
}

/** What is seen, a pixel a pixel of the paper. @param {Studio} studio @returns {ImageData} */
export function pictureOfPaper(studio) {
  const { width, height } = studio.raster.paper;
  if (paperSized?.canvas.width !== width || paperSized.canvas.height !== height) paperSized = newOffscreen(width, height, true);
  drawLayers(paperSized, studio, (layer) => layer.kind !== "photo", "screen", 1);
  return paperSized.getImageData(0, 0, width, height);
}

/** @param {Context} context @param {Studio} studio @param {(layer: Layer) => boolean} wanted @param {"screen" | "render"} of @param {number} scale pixels in one of the paper */
function drawLayers(context, studio, wanted, of, scale) {
  const { raster } = studio;
  context.setTransform(scale, 0, 0, scale, 0, 0);
  context.fillStyle = raster.paper.colour;
  context.fillRect(0, 0, raster.paper.width, raster.paper.height);
  drawPaper(context, studio, wanted, () => true, { of, scale, labelsToo: of === "screen" });
}

/**
 * The layers, and in each the strokes that are being drawn on it.
 * @param {Context} context whose units are pixels of the paper
 * @param {Studio} studio
 * @param {(layer: Layer) => boolean} wanted
 * @param {(op: Record<string, any>) => boolean} live which strokes are drawn that are not complete
 * @param {{of: "screen" | "render", scale: number, labelsToo: boolean}} how which of a layer's pixels, how many in one of
 * the paper, and whether painted classes are seen before their layer is there
 */
export function drawPaper(context, studio, wanted, live, { of, scale, labelsToo }) {
  const { raster } = studio;
  const { width, height } = raster.paper;
  const strokes = raster.live.filter((item) => live(item.op));
  const onNew = strokes.filter((item) => !raster.layer(item.op.layer) && item.op.tool !== "eraser");
  for (const layer of raster.layers) {
    if (!layer.visible || layer.gone || !wanted(layer)) continue;
    const own = strokes.filter((item) => item.op.layer === layer.name);
    context.globalAlpha = layer.opacity;
    const pixels = of === "render" && layer.small ? layer.small : layer.context;
    const { factor, dx, dy } = layer.shown ?? { factor: 1, dx: 0, dy: 0 };
    context.drawImage(own.some((item) => item.op.tool === "eraser") ? erased(studio, pixels.canvas, own) : pixels.canvas, dx, dy, width * factor, height * factor);
    context.globalAlpha = 1;
    for (const item of own) if (item.op.tool !== "eraser") paintLive(context, studio, item, scale);
  }
  for (const item of onNew) if (item.op.of_class == null || labelsToo) paintLive(context, studio, item, scale);
}

/** A layer without what is being erased from it. @param {Studio} studio @param {HTMLCanvasElement} pixels @param {import("./document.js").Item[]} strokes @returns {HTMLCanvasElement} */
function erased(studio, pixels, strokes) {
  scratch = sized(scratch, pixels.width, pixels.height);
  const scale = pixels.width / studio.raster.paper.width;
  scratch.setTransform(1, 0, 0, 1, 0, 0);
  scratch.clearRect(0, 0, pixels.width, pixels.height);
  scratch.drawImage(pixels, 0, 0);
  scratch.setTransform(scale, 0, 0, scale, 0, 0);
  for (const item of strokes) if (item.op.tool === "eraser") paintLive(scratch, studio, item, scale);
  return scratch.canvas;
}

/** For the screen and for the server the outline is the same. @type {WeakMap<object, {count: number, last: unknown, figures: import("./brushes.js").Figure[]}>} */
const outlines = new WeakMap();

/** @param {Context} context @param {Studio} studio @param {import("./document.js").Item} item @param {number} scale @param {number[][]} [predicted] */
export function paintLive(context, studio, item, scale, predicted = []) {
  const stroke = studio.strokes.find((each) => each.name === item.name);
  const ahead = stroke?.ahead ?? [];
  const count = item.points.length + ahead.length;
  const last = ahead.at(-1) ?? item.points.at(-1);
  let made = predicted.length ? undefined : outlines.get(item);
  if (made?.count !== count || made.last !== last) {
    made = { count, last, figures: figures(item.op, [...item.points, ...ahead, ...predicted], false) };
    if (!predicted.length) outlines.set(item, made);
  }
  studio.raster.paint(context, item.op, made.figures, scale);
}
