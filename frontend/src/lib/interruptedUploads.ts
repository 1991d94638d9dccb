// Large uploads that a reload or a crash of the browser has interrupted. A page cannot open the file again by itself.

/** What the uploads' library writes down: its keys begin like this. */
const PREFIX = "tus::";
/** As long as the server keeps what was sent. Milliseconds. */
const KEPT = 24 * 3600_000;

export interface Interrupted {
  /** Where it is written down. */
  key: string;
  /** Of the file. */
  name: string;
  bytes: number;
  /** Of what was sent. */
  address: string;
}

/** The uploads that can go on, by what this browser has written down. */
export function interruptedUploads(storage: Storage, now: number): Interrupted[] {
  return Object.keys(storage).flatMap((key) => {
    const noted = key.startsWith(PREFIX) ? read(storage.getItem(key)) : undefined;
    return noted && now - noted.begun < KEPT ? { key, ...noted } : [];
  });
}

function read(text: string | null): (Omit<Interrupted, "key"> & { begun: number }) | undefined {
  try {
    const { size, metadata, creationTime, uploadUrl } = JSON.parse(text ?? "");
    const [name, begun] = [metadata?.filename, Date.parse(creationTime)];
    const isWhole = typeof name === "string" && typeof size === "number" && typeof uploadUrl === "string";
    return isWhole && Number.isFinite(begun) ? { name, bytes: size, address: uploadUrl, begun } : undefined;
  } catch {
    return undefined;
  }
}

/** Forgets an upload, here and on the server. */
export async function giveUp({ key, address }: Interrupted, storage: Storage): Promise<void> {
  storage.removeItem(key);
  // Where the server cannot be told, it forgets by itself.
  await fetch(address, { method: "DELETE", headers: { "Tus-Resumable": "1.0.0" } }).catch(() => undefined);
}
