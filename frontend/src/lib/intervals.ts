// How sure a share of images is.

import type { Interval } from "../api/types";
import { withError } from "./format";

/** The 97.5% quantile of the normal distribution. */
const Z = 1.959963984540054;

/** Wilson's score interval of a share of `images` images, with 95% confidence, as the server has it; without images 0 to 1. */
export function wilson(share: number, images: number): Interval {
  if (images === 0) return { low: 0, high: 1 };
  const z2 = Z ** 2 / images;
  const centre = (share + z2 / 2) / (1 + z2);
  const half = Math.sqrt(share * (1 - share) * z2 + z2 ** 2 / 4) / (1 + z2);
  return { low: Math.max(0, centre - half), high: Math.min(1, centre + half) };
}

/** Half the width of an interval: what stands behind ±. */
export const halfWidth = ({ low, high }: Interval): number => (high - low) / 2;

/** A share of so many images, with half the width of its interval behind ±. */
export const accuracy = (share: number, images: number): string => withError(share, halfWidth(wilson(share, images)));
