// Files that the page makes itself: tables as CSV, charts as SVG and PNG.

/** What a drawing takes from the page's style sheets and has to carry along in a file of its own. */
const STYLES = [
  "fill",
  "fill-opacity",
  "stroke",
  "stroke-width",
  "stroke-dasharray",
  "stroke-linecap",
  "stroke-linejoin",
  "paint-order",
  "opacity",
  "font-family",
  "font-size",
  "font-weight",
  "text-anchor",
  "dominant-baseline",
  "display",
  "visibility",
] as const;

/** Pixels of a PNG for one of the page. */
const SCALE = 2;

/** Hands a file to the browser's downloads. */
export function download(name: string, content: Blob): void {
  const address = URL.createObjectURL(content);
  const link = document.createElement("a");
  link.href = address;
  link.download = name;
  link.click();
  // The download has its own hold on the content by then.
  setTimeout(() => URL.revokeObjectURL(address), 10_000);
}

/** A chart as a file of its own, as it looks now. */
export function svgFile(chart: SVGSVGElement): Blob {
  return new Blob([drawing(chart).text], { type: "image/svg+xml" });
}

/** A chart as pixels, twice as many a side as on the page. */
export async function pngFile(chart: SVGSVGElement): Promise<Blob> {
  const { text, width, height } = drawing(chart);
  const image = new Image();
  image.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(text)}`;
  await image.decode();
  return pixels(width * SCALE, height * SCALE, (context) =>
    context.drawImage(image, 0, 0, width * SCALE, height * SCALE),
  );
}

/** What was drawn on a canvas, on the page's background. */
export const canvasFile = (canvas: HTMLCanvasElement): Promise<Blob> =>
  pixels(canvas.width, canvas.height, (context) => {
    context.fillStyle = background(canvas);
    context.fillRect(0, 0, canvas.width, canvas.height);
    context.drawImage(canvas, 0, 0);
  });

function pixels(width: number, height: number, draw: (context: CanvasRenderingContext2D) => void): Promise<Blob> {
  const canvas = document.createElement("canvas");
  canvas.width = Math.round(width);
  canvas.height = Math.round(height);
  const context = canvas.getContext("2d");
  if (!context) return Promise.reject(new Error("this browser draws nothing outside the page"));
  draw(context);
  return new Promise((resolve, reject) =>
    canvas.toBlob((blob) => (blob ? resolve(blob) : reject(new Error("the chart is too large for a PNG")))),
  );
}

function drawing(chart: SVGSVGElement): { text: string; width: number; height: number } {
  const { width, height } = chart.getBoundingClientRect();
  const copy = chart.cloneNode(true) as SVGSVGElement;
  const [originals, copies] = [chart, copy].map((root) => [root, ...root.querySelectorAll<SVGElement>("*")]);
  for (const [index, original] of (originals ?? []).entries()) carryStyles(original, copies?.[index]);
  copy.setAttribute("xmlns", "http://www.w3.org/2000/svg");
  copy.setAttribute("width", String(width));
  copy.setAttribute("height", String(height));
  if (!copy.hasAttribute("viewBox")) copy.setAttribute("viewBox", `0 0 ${width} ${height}`);
  const sheet = document.createElementNS("http://www.w3.org/2000/svg", "rect");
  for (const [name, value] of Object.entries({ width: "100%", height: "100%", fill: background(chart) })) {
    sheet.setAttribute(name, value);
  }
  copy.prepend(sheet);
  return { text: new XMLSerializer().serializeToString(copy), width, height };
}

/** Replaces classes, whose rules stay behind, by the values that they come to. */
function carryStyles(original: Element, copy: Element | undefined): void {
  if (!copy) return;
  const computed = getComputedStyle(original);
  const carried = STYLES.map((name) => `${name}:${computed.getPropertyValue(name)}`).join(";");
  copy.setAttribute("style", carried);
  for (const name of ["class", "tabindex", "role", "aria-activedescendant"]) copy.removeAttribute(name);
}

/** The first background behind an element that can be seen. */
export function background(element: Element): string {
  for (let here: Element | null = element; here; here = here.parentElement) {
    const { backgroundColor } = getComputedStyle(here);
    if (!/^(transparent|rgba\(.*, 0\))$/.test(backgroundColor)) return backgroundColor;
  }
  return "white";
}

/** A name that every file system takes: `MobileNetV1, 50%` is `mobilenetv1-50`. */
export const fileName = (title: string): string =>
  title
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "-")
    .replace(/^-+|-+$/g, "")
    .slice(0, 80) || "eagleeye";
