// What a dataset holds, in words and labels.

import type { Class, Dataset } from "../api/types";
import { count } from "./format";
import { roundStep } from "./scales";
import { defaultImages } from "./searchForm";

/**
 * The class of each thumbnail: the server shows the first image of every class in turn, then the second of each, and so on. None where
 * the images have no labels.
 */
export function thumbnailClasses({ classes, thumbnails }: Pick<Dataset, "classes" | "thumbnails">): Class[] {
  const inOrder = classes.toSorted((a, b) => a.index - b.index);
  const shown: Class[] = [];
  const most = Math.max(0, ...classes.map((class_) => class_.count));
  for (let turn = 0; turn < most && shown.length < thumbnails; turn += 1) {
    shown.push(...inOrder.filter((class_) => class_.count > turn));
  }
  return shown.slice(0, thumbnails);
}

/** What a thumbnail shows, for those who do not see it: `Sample 3, class sneaker`. */
export const sampleText = (position: number, class_: Class | undefined): string =>
  `Sample ${position + 1}${class_ ? `, class ${class_.name}` : ""}`;

/** As many test images as a search takes at most, where it is not told how many. */
const MOST_TEST = 2000;

/** How a search divides a dataset whose request does not say it otherwise. */
export function splitSentence({ images, labelled }: Pick<Dataset, "images" | "labelled">): string {
  const { calibration, scoring } = defaultImages(images);
  const left = images - calibration - scoring;
  if (left < 0)
    return "It has too few images for a search, which scores candidates on other images than those it adapts them with.";
  const test = Math.min(MOST_TEST, left);
  const tested = test > 0 ? ` and tests the winners on ${count(test)}` : "";
  const parts = `recomputes batch norm statistics from ${count(calibration)} images, scores candidates on ${count(scoring)}${tested}`;
  const classes = labelled ? ", and every part has the classes in the proportions of the whole" : "";
  const unused = left > test ? ` ${count(left - test)} are left for fine-tuning.` : "";
  return `Unless you set it otherwise, a search ${parts}. No image serves twice${classes}.${unused}`;
}

/** How classes are labelled under their bars: `every` so many of them, upright or slanted where names are too long. */
export interface ClassLabels {
  every: number;
  isSlanted: boolean;
  text: (class_: Class) => string;
  /** Pixels that the labels take below, and to the left of the first. */
  height: number;
  overhang: number;
}

/** Roughly how wide a letter is, and how high a line, in pixels. */
const LETTER = 6.6;
const LINE = 15;
const LONGEST = 18;
/** Degrees by which slanted labels rise. */
export const SLANT = 50;

/** Fits labels to bars that are `step` pixels apart. Names stand under them where there are any, however long. */
export function classLabels(classes: readonly Class[], step: number): ClassLabels {
  const short = (name: string): string => (name.length > LONGEST ? `${name.slice(0, LONGEST - 1)}…` : name);
  const text = ({ name }: Class): string => short(name);
  const widest = LETTER * Math.max(1, ...classes.map((class_) => text(class_).length));
  const isNumbered = classes.every(({ index, name }) => name === String(index));
  if (isNumbered || widest < step - 4) {
    return { every: roundStep((widest + 6) / step), isSlanted: false, text, height: 26, overhang: 0 };
  }
  const [sine, cosine] = [Math.sin((SLANT * Math.PI) / 180), Math.cos((SLANT * Math.PI) / 180)];
  return {
    every: roundStep(LINE / step),
    isSlanted: true,
    text,
    height: 16 + sine * widest,
    overhang: cosine * widest,
  };
}
