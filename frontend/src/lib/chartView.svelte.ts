// How a chart of cost against accuracy is looked at, kept in the page's address.

import { flag, oneOf, range } from "./codecs";
import { COSTS, type Cost } from "./costPoints";
import { OptionalParam, SettlingParam, ViewParam } from "./viewParam.svelte";
import type { Range } from "./zoom";

/** The part that is looked at; an absent axis is seen whole. */
export interface Zoom {
  x?: Range | undefined;
  y?: Range | undefined;
}

/** Up to so many points, intervals are shown unless they are turned off: beyond, they hide the points. */
const FEW = 150;

export class ChartView {
  readonly #axis = new ViewParam<Cost>("axis", oneOf(COSTS), "macs");
  readonly #front = new ViewParam("front", flag, true);
  readonly #intervals = new OptionalParam("intervals", flag);
  readonly #plain = new ViewParam("plain", flag, false);
  // A wheel turns many times a second.
  readonly #x = new SettlingParam("x", range);
  readonly #y = new SettlingParam("y", range);

  get axis(): Cost {
    return this.#axis.value;
  }

  set axis(axis: Cost) {
    this.#axis.value = axis;
    this.zoom = { y: this.zoom.y };
  }

  /** Whether the Pareto front is drawn. */
  get hasFront(): boolean {
    return this.#front.value;
  }

  set hasFront(hasFront: boolean) {
    this.#front.value = hasFront;
  }

  /** Whether confidence intervals are drawn, of so many points. */
  hasIntervals(points: number): boolean {
    return this.#intervals.value ?? points <= FEW;
  }

  showIntervals(areShown: boolean): void {
    this.#intervals.value = areShown;
  }

  /** Whether the accuracies without adaptive BN are drawn. */
  get hasPlain(): boolean {
    return this.#plain.value;
  }

  set hasPlain(hasPlain: boolean) {
    this.#plain.value = hasPlain;
  }

  get zoom(): Zoom {
    return { x: this.#x.value, y: this.#y.value };
  }

  set zoom({ x, y }: Zoom) {
    this.#x.value = x;
    this.#y.value = y;
  }

  get isZoomed(): boolean {
    return this.zoom.x !== undefined || this.zoom.y !== undefined;
  }

  /** Writes nothing more: the page, and with it the address, may be another one soon. */
  stop(): void {
    this.#x.stop();
    this.#y.stop();
  }
}
