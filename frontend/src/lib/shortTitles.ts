// Titles beside each other where there is little room.

import { shortened } from "./compareHeat";

/**
 * Titles of so many letters that still tell each other apart: the words that all of them begin or end with are left out, and those that
 * read alike all the same are numbered by their places.
 */
export function shortTitles(titles: readonly string[], letters: number): string[] {
  const words = titles.map((title) => title.split(/\s+/));
  const [first = []] = words;
  const least = titles.length < 2 ? 0 : Math.min(...words.map(({ length }) => length));
  let start = 0;
  while (start < least && words.every((own) => own[start] === first[start])) start += 1;
  let end = 0;
  while (end < least - start && words.every((own) => own.at(-1 - end) === first.at(-1 - end))) end += 1;
  const own = words.map((all, place) => all.slice(start, all.length - end).join(" ") || (titles[place] ?? ""));
  const short = own.map((title) => shortened(title, letters));
  return short.map((title, place) => {
    if (short.indexOf(title) === short.lastIndexOf(title)) return title;
    const number = ` ${place + 1}`;
    return shortened(own[place] ?? "", letters - number.length) + number;
  });
}
