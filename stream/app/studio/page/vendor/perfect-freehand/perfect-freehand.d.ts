/** What of it is used here; perfect-freehand.js is the file of version 1.2.3, unchanged. */
export function getStroke(points: number[][], options: Record<string, unknown>): number[][];
