// Work in pieces, so that no hand has to wait for it.

/** Milliseconds of a frame that are worked at a time; the rest of it is for what a hand does. */
const SLICE = 10;

/**
 * Does a piece after another: as many as fit in a frame at once, and the others in the frames that follow. What an effect depends on
 * has to be read in the first piece.
 *
 * @param pieces does a piece for each of its steps
 * @returns a function that leaves the rest undone
 */
export function gradually(pieces: Iterator<unknown>): () => void {
  let frame: number | undefined;
  const go = (): void => {
    const end = performance.now() + SLICE;
    do {
      if (pieces.next().done) {
        frame = undefined;
        return;
      }
    } while (performance.now() < end);
    frame = requestAnimationFrame(go);
  };
  go();
  return () => {
    if (frame !== undefined) cancelAnimationFrame(frame);
  };
}

/** Does all pieces now, and returns what they come to. */
export function atOnce<T>(pieces: Iterator<unknown, T>): T {
  for (;;) {
    const { done, value } = pieces.next();
    if (done) return value;
  }
}
