// Whether a notification is wanted at a search's end, and what it says.

import type { Search } from "../api/types";
import { percent } from "./format";

const KEY = "eagleeye.notify";

export type Permission = NotificationPermission | "unsupported";

/** Whether the browser lets this page notify. Many do so only over HTTPS, or on this computer. */
export const permission = (): Permission =>
  typeof Notification === "undefined" || !window.isSecureContext ? "unsupported" : Notification.permission;

/** What stands in the way, and what happens instead. */
export function obstacle(permission: Permission): string {
  if (permission === "unsupported")
    return "This browser notifies only over HTTPS; the title of the tab says it instead.";
  if (permission === "denied") return "The browser’s settings forbid it here; the title of the tab says it instead.";
  return permission === "default" ? "The browser has not been allowed to yet." : "";
}

/** Whether notifications were chosen, on any page. */
export function isWanted(storage: Pick<Storage, "getItem"> | undefined = stored()): boolean {
  return storage?.getItem(KEY) === "1";
}

export function want(isWanted: boolean, storage: Pick<Storage, "setItem" | "removeItem"> | undefined = stored()): void {
  if (isWanted) storage?.setItem(KEY, "1");
  else storage?.removeItem(KEY);
}

/** A browser that keeps nothing has no storage, and says so by an error. */
function stored(): Storage | undefined {
  try {
    return window.localStorage;
  } catch {
    return undefined;
  }
}

/** What is said of a search that has ended, by its title and the top-1 of its best candidate. */
export function noticeOf({ state }: Pick<Search, "state">, title: string, best: number | undefined): [string, string] {
  const found =
    best === undefined ? "No candidate was scored." : `The best candidate has a top-1 of ${percent(best, 2)}.`;
  return [`Search ${state}`, `${title}. ${found}`];
}
