// Which large files are being sent, known to all tabs of a browser by Web Locks: a tab that is closed or crashes lets go of its own.

const PREFIX = "eagleeye.upload.";

/** Browsers have locks only over HTTPS, or on this computer. */
const locks = (): LockManager | undefined => navigator.locks;

/** Whether the other tabs are known. */
export const areTabsKnown = (): boolean => locks() !== undefined;

/** The files that are being sent by this tab or another, as far as that is known, by their fingerprints. */
export async function beingSent(): Promise<Set<string>> {
  const { held = [] } = (await locks()?.query()) ?? {};
  const names = held.flatMap(({ name }) => name ?? []);
  return new Set(names.filter((name) => name.startsWith(PREFIX)).map((name) => name.slice(PREFIX.length)));
}

/**
 * Does something while all tabs know that these files are being sent. Where one of them is being sent already, this waits.
 *
 * @throws the reason of `signal` when that stopped the waiting
 */
export async function whileSending<T>(
  fingerprints: readonly string[],
  signal: AbortSignal,
  send: () => Promise<T>,
): Promise<T> {
  // In the same order everywhere, so that two that want the same files never wait for each other.
  const [first, ...others] = [...new Set(fingerprints)].sort();
  const held = locks();
  if (first === undefined || !held) return send();
  return held.request(PREFIX + first, { signal }, () => whileSending(others, signal, send));
}

/** Does something unless the file is being sent, and keeps others from sending it meanwhile. */
export async function unlessSending(fingerprint: string, work: () => Promise<void>): Promise<void> {
  await locks()?.request(PREFIX + fingerprint, { ifAvailable: true }, (lock) => (lock ? work() : undefined));
}

/** Returns when a file is not being sent, or no longer. */
export async function untilFree(fingerprint: string): Promise<void> {
  // Shared, so that those who wait do not wait for each other.
  await locks()?.request(PREFIX + fingerprint, { mode: "shared" }, () => undefined);
}
