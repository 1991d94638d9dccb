// Going from page to page without loading anything again.

import { isOurs, match } from "./router";

class Navigation {
  #url = $state.raw(new URL(window.location.href));
  readonly route = $derived(match(this.#url));
  readonly pathname = $derived(this.#url.pathname);

  constructor() {
    window.addEventListener("popstate", () => (this.#url = new URL(window.location.href)));
  }

  /** Shows the page at an address; `replace` forgets the one that is shown now. */
  go(address: string, { replace = false } = {}): void {
    const url = new URL(address, window.location.href);
    if (replace) window.history.replaceState(null, "", url);
    else window.history.pushState(null, "", url);
    this.#url = url;
    window.scrollTo(0, 0);
  }

  /** Follows a plain click on a link within the page; everything else is left to the browser. */
  readonly onclick = (event: MouseEvent): void => {
    if (event.defaultPrevented || event.button !== 0) return;
    if (event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    const link = (event.target as Element | null)?.closest("a");
    if (!link || link.target || link.hasAttribute("download")) return;
    const url = new URL(link.href);
    if (url.origin !== window.location.origin || !isOurs(url.pathname)) return;
    // A jump within the page, such as the skip link.
    if (url.hash && url.pathname === this.pathname) return;
    event.preventDefault();
    this.go(link.href);
  };
}

/** The page's one navigation. */
export const navigation = new Navigation();
