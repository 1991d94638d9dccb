// Uploads with progress, which fetch cannot report.

import { BASE } from "./client";
import { ApiError, parseProblem, UNREACHABLE } from "./problem";

/** How far an upload is: on its way, or all there and being checked by the server. */
export type UploadProgress = { phase: "sending"; sent: number; total: number } | { phase: "checking" };

/** Thrown when the user stopped the upload. */
export class UploadAborted extends Error {
  override readonly name = "UploadAborted";
}

/**
 * Sends a multipart form to a collection.
 *
 * @param collection where to: `models` or `datasets`
 * @returns what was created
 * @throws ApiError when the server refused it or cannot be reached, UploadAborted when `signal` stopped it
 */
export function upload<T>(
  collection: "models" | "datasets",
  parts: FormData,
  onProgress: (progress: UploadProgress) => void,
  signal: AbortSignal,
): Promise<T> {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", `${BASE}/${collection}`);
    request.setRequestHeader("Accept", "application/json");
    request.upload.onprogress = ({ loaded, total }) => onProgress({ phase: "sending", sent: loaded, total });
    request.upload.onload = () => onProgress({ phase: "checking" });
    request.onerror = () => reject(new ApiError(UNREACHABLE));
    request.onabort = () => reject(new UploadAborted("the upload was cancelled"));
    request.onload = () => {
      const body = parseJson(request.responseText);
      if (request.status === 201) resolve(body as T);
      else reject(new ApiError(parseProblem(body, request.status)));
    };
    signal.addEventListener("abort", () => request.abort(), { once: true });
    request.send(parts);
  });
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
