// What is typed to find something: words, in any order and case.

/** Whether a text has each of the words in it. Every text has what nobody asks for. */
export function hasWords(text: string, words: string): boolean {
  const searched = text.toLowerCase();
  return words
    .toLowerCase()
    .split(/\s+/)
    .every((word) => searched.includes(word));
}
