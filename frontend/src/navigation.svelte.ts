// Going from page to page without loading anything again.

import { isOurs, match } from "./router";

/** Nothing that can be typed into or pressed has the focus: the page or its main part has it. */
function isFocusNowhere(): boolean {
  const focused = document.activeElement;
  return !focused || focused === document.body || focused.tagName === "MAIN";
}

class Navigation {
  /** A page has been moved to whose heading has not been shown yet. */
  #isArriving = false;
  #url = $state.raw(new URL(window.location.href));
  readonly route = $derived(match(this.#url));
  readonly pathname = $derived(this.#url.pathname);

  constructor() {
    window.addEventListener("popstate", () => this.#show(new URL(window.location.href)));
  }

  /** Shows the page at an address; `replace` forgets the one that is shown now. */
  go(address: string, { replace = false } = {}): void {
    const url = new URL(address, window.location.href);
    if (replace) window.history.replaceState(null, "", url);
    else window.history.pushState(null, "", url);
    this.#show(url);
    window.scrollTo(0, 0);
  }

  /** What the address says under a name; null where it says nothing. */
  param(name: string): string | null {
    return this.#url.searchParams.get(name);
  }

  /**
   * Writes how the page is looked at into its address, so that reloading, Back and a shared link show the same; null takes a name out.
   * The page stays where it is, and there is nothing to go back to.
   */
  amend(values: Record<string, string | null>): void {
    const url = new URL(this.#url);
    for (const [name, value] of Object.entries(values)) {
      if (value === null) url.searchParams.delete(name);
      else url.searchParams.set(name, value);
    }
    if (url.href === this.#url.href) return;
    window.history.replaceState(null, "", url);
    this.#url = url;
  }

  #show(url: URL): void {
    if (url.pathname !== this.pathname) {
      this.#isArriving = true;
      // What brought us here stays behind, as after loading a page.
      (document.activeElement as HTMLElement | null)?.blur();
    }
    this.#url = url;
  }

  /**
   * Attached to the heading of every page: after a move to another page, reading goes on there, as after loading a page. A heading may
   * come late, when its page or its data has been loaded; whoever has gone elsewhere meanwhile is not called back.
   */
  readonly heading = (heading: HTMLElement): void => {
    if (!this.#isArriving) return;
    this.#isArriving = false;
    if (isFocusNowhere()) heading.focus({ preventScroll: true });
  };

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
