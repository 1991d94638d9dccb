// A chart that is drawn on a canvas, as an SVG file: drawn once more, by the same code.

/** A chart for a file. */
export interface Drawing {
  width: number;
  height: number;
  draw(context: CanvasRenderingContext2D): void;
}

/** @param background the colour of the sheet that it lies on */
export async function svgOf({ width, height, draw }: Drawing, background: string): Promise<Blob> {
  // Nobody who saves nothing loads it.
  const { Context } = await import("svgcanvas");
  const context = new Context(width, height);
  context.fillStyle = background;
  context.fillRect(0, 0, width, height);
  context.lineWidth = 1;
  context.textBaseline = "middle";
  draw(context as unknown as CanvasRenderingContext2D);
  return new Blob([context.getSerializedSvg()], { type: "image/svg+xml" });
}
