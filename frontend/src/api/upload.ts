// Uploads with progress, which fetch cannot report.

import { BASE } from "./client";
import { ApiError, parseJson, parseProblem, UNREACHABLE } from "./problem";

/** How far an upload is: behind another one of the same file, on its way, or all there and being checked by the server. */
export type UploadProgress =
  { phase: "waiting" } | { phase: "sending"; sent: number; total: number } | { phase: "checking" };

/** Files of so many bytes or more are sent so that they can go on after a broken connection. */
export const LARGE = 16 << 20;

/**
 * Sends files and texts to a collection. Large files go on where they stopped when they are sent again, after a reload as well.
 *
 * @param collection where to: `models` or `datasets`
 * @returns what was created
 * @throws ApiError when the server refused it or cannot be reached, the reason of `signal` when that stopped it
 */
export function upload<T>(
  collection: "models" | "datasets",
  parts: FormData,
  onProgress: (progress: UploadProgress) => void,
  signal: AbortSignal,
): Promise<T> {
  const files = [...parts].filter((part): part is [string, File] => part[1] instanceof File);
  const large = files.filter(([, file]) => file.size >= LARGE);
  if (large.length === 0) return send(collection, parts, onProgress, signal);
  return sendInTurn(large, files, parts, collection, onProgress, signal);
}

/** Sends the large files one after the other, and then the form, in which their ids take their places. */
async function sendInTurn<T>(
  large: readonly [string, File][],
  files: readonly [string, File][],
  parts: FormData,
  collection: "models" | "datasets",
  onProgress: (progress: UploadProgress) => void,
  signal: AbortSignal,
): Promise<T> {
  // Whoever uploads small files does without it.
  const { sendResumably } = await import("./resumableUpload");
  const bytesOf = (some: readonly [string, File][]): number => some.reduce((sum, [, { size }]) => sum + size, 0);
  const [before, total] = [bytesOf(large), bytesOf(files)];
  const rest = (progress: UploadProgress): void =>
    onProgress(progress.phase === "sending" ? { ...progress, sent: before + progress.sent, total } : progress);
  return sendResumably(
    large.map(([, file]) => file),
    (sent) => onProgress({ phase: "sending", sent, total }),
    () => onProgress({ phase: "waiting" }),
    signal,
    (ids) => send(collection, withIds(parts, large, ids), rest, signal),
  );
}

/** A form in which ids stand for the large files. */
function withIds(parts: FormData, large: readonly [string, File][], ids: readonly string[]): FormData {
  const form = new FormData();
  for (const [name, part] of parts) form.append(name, part);
  for (const [place, [name]] of large.entries()) {
    form.delete(name);
    form.set(`${name}_upload`, ids[place] ?? "");
  }
  return form;
}

/** Sends a multipart form. */
function send<T>(
  collection: "models" | "datasets",
  parts: FormData,
  onProgress: (progress: UploadProgress) => void,
  signal: AbortSignal,
): Promise<T> {
  return new Promise((resolve, reject) => {
    signal.throwIfAborted();
    const request = new XMLHttpRequest();
    request.open("POST", `${BASE}/${collection}`);
    request.setRequestHeader("Accept", "application/json");
    request.upload.onprogress = ({ loaded, total }) => onProgress({ phase: "sending", sent: loaded, total });
    request.upload.onload = () => onProgress({ phase: "checking" });
    request.onerror = () => reject(new ApiError(UNREACHABLE));
    request.onabort = () => reject(signal.reason);
    request.onload = () => {
      const body = parseJson(request.responseText);
      if (request.status === 201) resolve(body as T);
      else reject(new ApiError(parseProblem(body, request.status)));
    };
    signal.addEventListener("abort", () => request.abort(), { once: true });
    request.send(parts);
  });
}
