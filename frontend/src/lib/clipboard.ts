// Copying text. Browsers lend the clipboard to pages of this machine or behind TLS only; elsewhere a selection is copied.

/** Whether a text was copied; `shown` holds it on the page, to be selected where nothing else works. */
export async function copy(text: string, shown: HTMLElement): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    window.getSelection()?.selectAllChildren(shown);
    return document.execCommand("copy");
  }
}
