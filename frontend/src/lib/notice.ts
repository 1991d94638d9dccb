// What a notification of a job's end says, and whether the browser shows any.

import type { Search, Tuning } from "../api/types";
import { percent } from "./format";

export type Permission = NotificationPermission | "unsupported";

/** Whether the browser lets this page notify. Many do so only over HTTPS, or on this computer. */
export const permission = (): Permission =>
  typeof Notification === "undefined" || !window.isSecureContext ? "unsupported" : Notification.permission;

/** What stands in the way. */
export function obstacle(permission: Permission): string {
  if (permission === "unsupported") return "This browser notifies only over HTTPS.";
  if (permission === "denied") return "The browser’s settings forbid it here.";
  return permission === "default" ? "The browser has not been allowed to yet." : "";
}

/** What is said: a heading and a sentence or two. */
export type Notice = readonly [heading: string, body: string];

/** What is said of a search that has ended, by its title and the top-1 of its best candidate. */
export function searchNotice({ state }: Pick<Search, "state">, title: string, best: number | undefined): Notice {
  const found =
    best === undefined ? "No candidate was scored." : `The best candidate has a top-1 of ${percent(best, 2)}.`;
  return [`Search ${state}`, `${title}. ${found}`];
}

/** What is said of a fine-tuning that has ended. */
export function tuningNotice({ state, result }: Pick<Tuning, "state" | "result">, title: string): Notice {
  const found = result ? ` Its top-1 is ${percent(result.validation.top1, 2)}.` : "";
  return [`Fine-tuning ${state}`, `${title}.${found}`];
}
