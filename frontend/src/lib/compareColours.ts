// The colours of keep ratios: one scale from nothing to everything, that is read in either colour scheme.

/** Viridis, which grows evenly in lightness and is told apart by the colour-blind. Dark to light. */
const STOPS: readonly (readonly [number, number, number])[] = [
  [68, 1, 84],
  [71, 45, 123],
  [59, 82, 139],
  [44, 114, 142],
  [33, 145, 140],
  [40, 174, 128],
  [94, 201, 98],
  [173, 220, 48],
  [253, 231, 37],
];

export type Rgb = readonly [number, number, number];

/** The colour of a share from 0 to 1: what is kept stands out from the page, be it dark or light. */
export function colourOf(share: number, isDark: boolean): Rgb {
  const clamped = Math.min(1, Math.max(0, share));
  const place = (isDark ? clamped : 1 - clamped) * (STOPS.length - 1);
  const below = Math.min(STOPS.length - 2, Math.floor(place));
  const [first, second] = [STOPS[below], STOPS[below + 1]] as [Rgb, Rgb];
  const mix = (channel: 0 | 1 | 2): number =>
    Math.round(first[channel] + (place - below) * (second[channel] - first[channel]));
  return [mix(0), mix(1), mix(2)];
}

/** The scale as a CSS gradient from left to right. */
export function gradient(isDark: boolean): string {
  const stops = STOPS.map((_, place) => `rgb(${colourOf(place / (STOPS.length - 1), isDark).join(" ")})`);
  return `linear-gradient(to right, ${stops.join(", ")})`;
}

/** Steps of a table of colours: more than an eye tells apart. */
const STEPS = 256;

/** The pixels of a grid of shares, each a row of `columns`. */
export function pixels(shares: Float32Array, isDark: boolean): Uint8ClampedArray<ArrayBuffer> {
  const table = Array.from({ length: STEPS }, (_, step) => colourOf(step / (STEPS - 1), isDark));
  const data = new Uint8ClampedArray(shares.length * 4);
  for (const [place, share] of shares.entries()) {
    const colour = table[Math.round(Math.min(1, Math.max(0, share)) * (STEPS - 1))] as Rgb;
    data.set(colour, place * 4);
    data[place * 4 + 3] = 255;
  }
  return data;
}
