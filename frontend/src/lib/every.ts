// Looking again and again, but not while nobody looks.

/**
 * Calls `look` now and then every `period` milliseconds, counted from the end of the call before. While the page is
 * hidden nothing is called; when it is shown again, it is called at once.
 *
 * @returns a function that stops it
 */
export function every(period: number, look: () => Promise<void>): () => void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let isStopped = false;
  let isLooking = false;

  const run = async (): Promise<void> => {
    clearTimeout(timer);
    if (isStopped || isLooking || document.hidden) return;
    isLooking = true;
    try {
      await look();
    } finally {
      isLooking = false;
      if (!isStopped) timer = setTimeout(run, period);
    }
  };
  document.addEventListener("visibilitychange", run);
  void run();

  return () => {
    isStopped = true;
    clearTimeout(timer);
    document.removeEventListener("visibilitychange", run);
  };
}
