// Canvases that are as sharp as the screen, in the colours of the page.

/** Makes a canvas as large as its place and empties it; one unit of what is drawn then is one pixel of the page. */
export function prepared(
  canvas: HTMLCanvasElement,
  width: number,
  height: number,
): CanvasRenderingContext2D | undefined {
  const scale = window.devicePixelRatio || 1;
  const [wide, high] = [Math.round(width * scale), Math.round(height * scale)];
  // Setting the size, even to the same, allocates anew.
  if (canvas.width !== wide || canvas.height !== high) [canvas.width, canvas.height] = [wide, high];
  const context = canvas.getContext("2d");
  if (!context) return undefined;
  context.setTransform(scale, 0, 0, scale, 0, 0);
  context.clearRect(0, 0, width, height);
  // What was drawn last has left its settings.
  context.globalAlpha = 1;
  context.lineWidth = 1;
  context.textAlign = "left";
  context.textBaseline = "middle";
  return context;
}

const NAMES = ["text", "text-muted", "border", "border-strong", "surface", "accent", "good", "series-plain"] as const;

/** The page's colours by their names, which depend on the colour scheme. */
export function colours(element: Element): Record<(typeof NAMES)[number], string> {
  const style = getComputedStyle(element);
  return Object.fromEntries(NAMES.map((name) => [name, style.getPropertyValue(`--${name}`).trim()])) as Record<
    (typeof NAMES)[number],
    string
  >;
}

export const FONT = "11px system-ui, -apple-system, 'Segoe UI', Roboto, 'Noto Sans', 'DejaVu Sans', sans-serif";
