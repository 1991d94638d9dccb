// Large files, by the tus protocol: after a broken connection or a reload, what is there already is not sent again.

import { defaultOptions, DetailedError, Upload } from "tus-js-client";

import { discard, notedUploads, type Noted } from "../lib/interruptedUploads";
import { BASE } from "./client";
import { ApiError, parseJson, parseProblem, UNREACHABLE } from "./problem";
import { beingSent, whileSending } from "./uploadLocks";

/** Milliseconds before another attempt: a connection that breaks for longer is for a person to look at. */
const RETRIES = [0, 1_000, 3_000, 10_000];

/** Statuses of a refusal that is about who asks, or about the moment, and not about what was sent. */
const PASSING = [401, 403, 408, 409, 423, 429];

/**
 * Where files are that the server has refused, by their fingerprints: while the page is there, they may be sent again with other words
 * beside them.
 */
const refused = new Map<string, string>();

/**
 * Sends files one after the other, or the rest of those that were begun before in this browser, and makes something of them. What is
 * used, refused or cancelled is forgotten; only what was interrupted can go on after a reload.
 *
 * @param onSent hears how many bytes of all of them are there
 * @param onWait hears that one of them is being sent already, and that this waits for its end
 * @param use makes something of them by the ids under which the server knows them
 * @throws ApiError when the server refused it or cannot be reached, the reason of `signal` when that stopped it
 */
export async function sendResumably<T>(
  files: readonly File[],
  onSent: (bytes: number) => void,
  onWait: () => void,
  signal: AbortSignal,
  use: (ids: readonly string[]) => Promise<T>,
): Promise<T> {
  // It may have been stopped while this file was loaded.
  signal.throwIfAborted();
  const known = await Promise.all(files.map(async (file) => ({ file, fingerprint: await fingerprintOf(file) })));
  const fingerprints = known.map(({ fingerprint }) => fingerprint);
  const sending = await beingSent();
  if (fingerprints.some((one) => sending.has(one))) onWait();
  return whileSending(fingerprints, signal, async () => {
    const sent: { fingerprint: string; address: string }[] = [];
    try {
      let before = 0;
      for (const { file, fingerprint } of known) {
        const place = refused.get(fingerprint);
        const address = await sendFile(file, place, (bytes) => onSent(before + bytes), signal);
        sent.push({ fingerprint, address });
        before += file.size;
      }
      const made = await use(sent.map(({ address }) => address.split("/").at(-1) ?? ""));
      forget(fingerprints);
      return made;
    } catch (error) {
      if (signal.aborted) cancel(fingerprints);
      else if (isRefusal(error)) {
        forget(fingerprints);
        for (const { fingerprint, address } of sent) refused.set(fingerprint, address);
      }
      throw error;
    }
  });
}

const endpoint = (): string => `${window.location.origin}${BASE}/uploads`;

const fingerprintOf = (file: File): Promise<string> => defaultOptions.fingerprint(file, { endpoint: endpoint() });

/** Sends a file, which may be at some place already; the address under which it is then. */
function sendFile(
  file: File,
  place: string | undefined,
  onSent: (bytes: number) => void,
  signal: AbortSignal,
): Promise<string> {
  return new Promise((resolve, reject) => {
    signal.throwIfAborted();
    const upload = new Upload(file, {
      endpoint: endpoint(),
      uploadUrl: place,
      metadata: { filename: file.name },
      retryDelays: RETRIES,
      // Only when it has become something is a file done with.
      removeFingerprintOnSuccess: false,
      onProgress: onSent,
      onSuccess: () => resolve(upload.url ?? ""),
      onError: (error) => reject(new ApiError(problemOf(error))),
    });
    const stop = (): void => {
      void upload.abort();
      reject(signal.reason);
    };
    signal.addEventListener("abort", stop, { once: true });
    begin(upload, signal).catch(reject);
  });
}

/** Begins an upload, or goes on with it. */
async function begin(upload: Upload, signal: AbortSignal): Promise<void> {
  const [before] = await upload.findPreviousUploads();
  if (before) upload.resumeFromPreviousUpload(before);
  if (!signal.aborted) upload.start();
}

function problemOf(error: Error | DetailedError) {
  const answer = error instanceof DetailedError ? error.originalResponse : null;
  return answer ? parseProblem(parseJson(answer.getBody()), answer.getStatus()) : UNREACHABLE;
}

/** Whether the server will not have what was sent, however often it is sent. */
function isRefusal(error: unknown): boolean {
  if (!(error instanceof ApiError)) return false;
  const { status, type } = error.problem;
  return status >= 400 && status < 500 && !PASSING.includes(status) && type !== "/problems/upload-interrupted";
}

const notedOf = (fingerprints: readonly string[]): Noted[] =>
  notedUploads(localStorage).filter(({ fingerprint }) => fingerprints.includes(fingerprint));

function forget(fingerprints: readonly string[]): void {
  for (const { key } of notedOf(fingerprints)) localStorage.removeItem(key);
  for (const one of fingerprints) refused.delete(one);
}

/** Forgets files on the server, too. */
function cancel(fingerprints: readonly string[]): void {
  for (const one of notedOf(fingerprints)) void discard(one, localStorage);
  forget(fingerprints);
}
