// Large files, by the tus protocol: after a broken connection or a reload, what is there already is not sent again.

import { DetailedError, Upload } from "tus-js-client";

import { BASE } from "./client";
import { ApiError, parseJson, parseProblem, UNREACHABLE } from "./problem";

/** Milliseconds before another attempt: a connection that breaks for longer is for a person to look at. */
const RETRIES = [0, 1_000, 3_000, 10_000];

export interface Sent {
  /** By which the server knows the file. */
  id: string;
  /** To be called when the file has become something, and will not be sent again. */
  forget: () => void;
}

/**
 * Sends a file, or the rest of one that was begun before in this browser.
 *
 * @param onSent hears how many bytes are there
 * @throws ApiError when the server refused it or cannot be reached, the reason of `signal` when that stopped it
 */
export function sendResumably(file: File, onSent: (bytes: number) => void, signal: AbortSignal): Promise<Sent> {
  return new Promise((resolve, reject) => {
    // It may have been stopped while this file was loaded.
    signal.throwIfAborted();
    const upload = new Upload(file, {
      endpoint: `${window.location.origin}${BASE}/uploads`,
      metadata: { filename: file.name },
      retryDelays: RETRIES,
      // Only a file that has become something is done with: one that is refused may be sent again with other words beside it.
      removeFingerprintOnSuccess: false,
      onProgress: onSent,
      onSuccess: () => resolve({ id: upload.url?.split("/").at(-1) ?? "", forget: () => void forget(upload) }),
      onError: (error) => reject(new ApiError(problemOf(error))),
    });
    const stop = (): void => {
      // Nothing is left on the server either; where it cannot be told, it forgets by itself.
      upload.abort(true).catch(() => undefined);
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

async function forget(upload: Upload): Promise<void> {
  for (const { urlStorageKey } of await upload.findPreviousUploads()) {
    await upload.options.urlStorage?.removeUpload(urlStorageKey);
  }
}

function problemOf(error: Error | DetailedError) {
  const answer = error instanceof DetailedError ? error.originalResponse : null;
  return answer ? parseProblem(parseJson(answer.getBody()), answer.getStatus()) : UNREACHABLE;
}
