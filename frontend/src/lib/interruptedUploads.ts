// Large uploads that a reload or a crash of the browser has interrupted. A page cannot open the file again by itself.

import { areTabsKnown, beingSent, unlessSending } from "../api/uploadLocks";

/** What the uploads' library writes down: its keys begin like this and end with a number, and have the fingerprint between. */
const PREFIX = "tus::";
const HEADERS = { "Tus-Resumable": "1.0.0" };

/** What is written down of an upload, interrupted or not. */
export interface Noted {
  /** Where it is written down. */
  key: string;
  /** By which the file is known again when it is chosen. */
  fingerprint: string;
  /** Of the file. */
  name: string;
  bytes: number;
  /** Of what was sent. */
  address: string;
}

/**
 * The uploads that can go on: no tab is sending them, and what was sent is still there. What the server has no more (it keeps it for a
 * day after the last bytes) is forgotten.
 */
export async function interruptedUploads(storage: Storage): Promise<Noted[]> {
  const noted = notedUploads(storage);
  // Asked after the storage was read: what is written down there was locked before.
  const sending = await beingSent();
  const idle = noted.filter(({ fingerprint }) => !sending.has(fingerprint));
  const areGone = await Promise.all(idle.map(({ address }) => isGone(address)));
  for (const [place, { key }] of idle.entries()) if (areGone[place]) storage.removeItem(key);
  return idle.filter((one) => isNoted(one, storage));
}

/** All that is written down. */
export const notedUploads = (storage: Storage): Noted[] =>
  Object.keys(storage)
    .filter(isNote)
    .flatMap((key) => read(key, storage.getItem(key)) ?? []);

/** Whether something may be written down of an upload under a key. */
export const isNote = (key: string): boolean => key.startsWith(PREFIX);

/** Whether an upload is still written down. */
export const isNoted = ({ key }: Noted, storage: Storage): boolean => storage.getItem(key) !== null;

function read(key: string, text: string | null): Noted | undefined {
  try {
    const { size, metadata, uploadUrl } = JSON.parse(text ?? "");
    const name = metadata?.filename;
    const isWhole = typeof name === "string" && typeof size === "number" && typeof uploadUrl === "string";
    const fingerprint = key.slice(PREFIX.length, key.lastIndexOf("::"));
    return isWhole ? { key, fingerprint, name, bytes: size, address: uploadUrl } : undefined;
  } catch {
    return undefined;
  }
}

/** Whether the server has nothing there. One that cannot be asked may have it. */
async function isGone(address: string): Promise<boolean> {
  try {
    const { status } = await fetch(address, { method: "HEAD", headers: HEADERS });
    return status === 404 || status === 410;
  } catch {
    return false;
  }
}

/**
 * Forgets an upload, here and on the server, unless another tab goes on with it. Where other tabs are not known it is left to the server,
 * which forgets it by itself.
 */
export async function giveUp(one: Noted, storage: Storage): Promise<void> {
  if (areTabsKnown()) await unlessSending(one.fingerprint, () => discard(one, storage));
  else storage.removeItem(one.key);
}

/** Forgets an upload, here and on the server. */
export async function discard({ key, address }: Noted, storage: Storage): Promise<void> {
  storage.removeItem(key);
  // Where the server cannot be told, it forgets by itself.
  await fetch(address, { method: "DELETE", headers: HEADERS }).catch(() => undefined);
}
