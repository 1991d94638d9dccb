// How long ago something was, as one says it.

/** `just now`, `5 min ago`, `3 h ago`, `2 d ago`, `7 weeks ago`, `2 years ago` */
export function age(iso: string, now: number): string {
  const seconds = Math.max(0, (now - Date.parse(iso)) / 1000);
  if (seconds < 60) return "just now";
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ago`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3600)} h ago`;
  const days = Math.floor(seconds / 86_400);
  if (days < 14) return `${days} d ago`;
  if (days < 365) return `${Math.floor(days / 7)} weeks ago`;
  const years = Math.floor(days / 365);
  return years === 1 ? "a year ago" : `${years} years ago`;
}
