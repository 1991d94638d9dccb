// The rows of a long table that can be seen, and the space that the others take.

import { elementScroll, observeElementOffset, observeElementRect, Virtualizer } from "@tanstack/virtual-core";
import { tick, untrack } from "svelte";
import type { Attachment } from "svelte/attachments";

/** Rows beyond either edge that are there already when one scrolls on. */
const OVERSCAN = 6;

/** A heading that stays at the top takes so many pixels of the box, at most. */
const HEAD = 72;

export interface Span {
  /** The rows from `start` up to `end`, which is not one of them. */
  start: number;
  end: number;
  /** Pixels of the rows before and after. */
  before: number;
  after: number;
}

/** Rows of one height in a box that scrolls; a table of any length has some dozens of rows in the document. */
export class VirtualRows {
  #span = $state.raw<Span>({ start: 0, end: 0, before: 0, after: 0 });
  readonly #count: () => number;
  readonly #height: number;
  readonly #overscan: number;
  #virtualizer: Virtualizer<HTMLElement, HTMLElement> | undefined;

  /** The number of rows, which may change, the height of each in pixels, and how many are there beyond either edge. */
  constructor(count: () => number, height: number, overscan = OVERSCAN) {
    this.#count = count;
    this.#height = height;
    this.#overscan = overscan;
  }

  get span(): Span {
    return this.#span;
  }

  /** Attached to the box that scrolls. */
  readonly box: Attachment<HTMLElement> = (element) => {
    const options = () => ({
      count: this.#count(),
      getScrollElement: () => element,
      estimateSize: () => this.#height,
      overscan: this.#overscan,
      observeElementRect,
      observeElementOffset,
      scrollToFn: elementScroll,
      onChange: () => this.#measure(),
    });
    // The effect below follows the count; attaching anew with each would forget where one has scrolled to.
    const virtualizer = new Virtualizer<HTMLElement, HTMLElement>(untrack(options));
    this.#virtualizer = virtualizer;
    const unmount = virtualizer._didMount();
    virtualizer._willUpdate();
    untrack(() => this.#measure());
    $effect(() => {
      virtualizer.setOptions(options());
      virtualizer._willUpdate();
      this.#measure();
    });
    return () => {
      unmount();
      this.#virtualizer = undefined;
    };
  };

  /** Brings a row that was selected elsewhere into sight, when that selection has been drawn. */
  reveal(index: number): void {
    requestAnimationFrame(() => setTimeout(() => void this.show(index)));
  }

  /** Brings a row into sight. */
  async show(index: number): Promise<void> {
    // Rows that have just come make the box higher first.
    await tick();
    const { scrollOffset, scrollRect } = this.#virtualizer ?? {};
    if (scrollOffset == null || !scrollRect) return;
    const [top, bottom] = [index * this.#height, (index + 1) * this.#height];
    // What is known of the box is enough: asking it, as the library does, has the whole page laid out first.
    if (top < scrollOffset) this.#virtualizer?.scrollToOffset(top);
    else if (bottom + HEAD > scrollOffset + scrollRect.height) {
      this.#virtualizer?.scrollToOffset(bottom + HEAD - scrollRect.height);
    }
  }

  #measure(): void {
    const virtualizer = this.#virtualizer;
    if (!virtualizer) return;
    const items = virtualizer.getVirtualItems();
    const [first, last] = [items[0], items.at(-1)];
    this.#span =
      first && last
        ? {
            start: first.index,
            end: last.index + 1,
            before: first.start,
            after: Math.max(0, virtualizer.getTotalSize() - last.end),
          }
        : { start: 0, end: 0, before: 0, after: 0 };
  }
}
