// Shapes of a network's input as people type them.

/** Reads `1,3,224,224`; undefined where something else stands there. */
export function parseShape(text: string): number[] | undefined {
  const sizes = text
    .trim()
    .split(/\s*[,×x]\s*|\s+/)
    .map((size) => (size === "" ? Number.NaN : Number(size)));
  const isShape = sizes.length >= 1 && sizes.length <= 8 && sizes.every((size) => Number.isInteger(size) && size > 0);
  return isShape ? sizes : undefined;
}
