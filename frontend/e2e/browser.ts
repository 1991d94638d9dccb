// A real Chromium, and what must hold on every page that it shows.

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

import type { AxeResults } from "axe-core";
import { chromium, type Browser, type Locator, type Page } from "playwright-core";
import { expect } from "vitest";

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

/** Chromium calls home in many ways; a test needs none of them. */
const QUIET = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

interface Size {
  width: number;
  height: number;
}

export const DESKTOP: Size = { width: 1440, height: 900 };
const PHONE: Size = { width: 360, height: 740 };
const WIDE: Size = { width: 2560, height: 1440 };

const THEMES = ["dark", "light"] as const;
type Theme = (typeof THEMES)[number];

/** The folder that pictures of the screens go to; without it none are taken. */
const pictures = process.env["EAGLEEYE_SCREENSHOTS"];

/** A page with everything that went wrong in it. */
export interface Watched {
  browser: Browser;
  page: Page;
  /** Errors on the console (a refusal of the content security policy among them), exceptions, and requests to other hosts. */
  faults: string[];
}

/**
 * Starts Chromium with one page.
 *
 * @param url the server's address
 * @param scale pixels of a screenshot per pixel of the page
 */
export async function open(url: string, scale: number): Promise<Watched> {
  const executablePath = process.env["CHROMIUM"] ?? "/usr/bin/chromium";
  const browser = await chromium.launch({ executablePath, args: QUIET });
  const context = await browser.newContext({ baseURL: url, viewport: DESKTOP, deviceScaleFactor: scale });
  const page = await context.newPage();
  const faults: string[] = [];
  page.on("pageerror", (error) => faults.push(String(error)));
  page.on("console", (message) => {
    // The browser logs every refused request; the tests that provoke one look at what the page shows.
    const isRefusal = message.text().startsWith("Failed to load resource");
    if (message.type() === "error" && !isRefusal) faults.push(message.text());
  });
  // Of all tabs, as a test may open another.
  context.on("request", (request) => {
    if (leaves(request.url(), url)) faults.push(`asked another host for ${request.url()}`);
  });
  return { browser, page, faults };
}

/** Whether a request goes elsewhere than to the server; what a page has made itself never goes out. */
const leaves = (address: string, server: string): boolean =>
  !/^(data|blob):/.test(address) && new URL(address).origin !== new URL(server).origin;

/**
 * The field with this label, and no field whose label only contains it ("Candidates" is not "Candidates to repair").
 *
 * @param label as shown, without the "optional" behind it
 */
export function field(page: Page, label: string): Locator {
  const literal = label.replaceAll(/[()[\]{}.*+?^$|\\]/g, "\\$&");
  return page.getByLabel(new RegExp(`^\\s*${literal}\\s*(optional)?\\s*$`));
}

/**
 * The address says this. A browser reports what a page writes into it a moment later than what it shows.
 *
 * @param value null where the address must not have it
 */
export async function expectParam(page: Page, name: string, value: string | null): Promise<void> {
  await expect.poll(() => param(page, name), { timeout: 10_000, message: `${name} in the address` }).toBe(value);
}

/** What the address says now. */
export const param = (page: Page, name: string): string | null => new URL(page.url()).searchParams.get(name);

/**
 * The page is accessible and fits its window: in the dark on a usual screen and in the light on a phone.
 *
 * @param screen a name, once for each screen: the page is looked at everywhere, and its pictures are taken where they are wanted
 */
export async function expectGoodPage(page: Page, screen?: string): Promise<void> {
  if (screen) return expectGoodEverywhere(page, screen);
  await expectGood(page, "dark", DESKTOP);
  await expectGood(page, "light", PHONE);
  await asUsual(page);
}

/**
 * The page is accessible and fits its window in the dark and in the light, on a phone, a usual and a wide screen: for a state of a screen
 * that no other test comes to.
 *
 * @param screen as for `expectGoodPage`; without it no pictures are taken
 */
export async function expectGoodEverywhere(page: Page, screen?: string): Promise<void> {
  for (const theme of THEMES) for (const size of [DESKTOP, WIDE, PHONE]) await expectGood(page, theme, size, screen);
  await asUsual(page);
}

async function asUsual(page: Page): Promise<void> {
  await page.emulateMedia({ colorScheme: "light" });
  await page.setViewportSize(DESKTOP);
}

async function expectGood(page: Page, theme: Theme, size: Size, screen?: string): Promise<void> {
  await page.emulateMedia({ colorScheme: theme });
  await page.setViewportSize(size);
  await drawn(page);
  const where = `${page.url()}, ${theme}, ${size.width} pixels wide`;
  expect(await violations(page), where).toEqual([]);
  expect(await sidewaysOverflow(page), `${where}, scrolls sideways`).toBe(0);
  if (pictures && screen && size === DESKTOP)
    await page.screenshot({ path: `${pictures}/${screen}-${theme}.png`, fullPage: true });
}

/** Charts are drawn anew for another width. */
const drawn = (page: Page): Promise<void> =>
  page.evaluate("new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn)))");

/** What axe finds, each with the first element at fault. */
async function violations(page: Page): Promise<string[]> {
  await page.evaluate(AXE);
  // What passes is not even listed, which takes most of the time.
  const results = await page.evaluate<AxeResults>('axe.run({ resultTypes: ["violations"] })');
  return results.violations.map(({ id, help, nodes }) => `${id}: ${help}: ${nodes[0]?.html}`);
}

const sidewaysOverflow = (page: Page): Promise<number> =>
  page.evaluate<number>("Math.max(0, document.documentElement.scrollWidth - window.innerWidth)");
