import { expect, it } from "vitest";

import { age } from "./ages";

it("says how long ago something was", () => {
  const now = Date.parse("2026-11-28T12:00:00Z");
  const at = (iso: string): string => age(iso, now);
  expect(at("2026-11-28T11:59:30Z")).toBe("just now");
  // The clocks of the server and of the browser differ.
  expect(at("2026-11-28T12:00:30Z")).toBe("just now");
  expect(at("2026-11-28T11:55:00Z")).toBe("5 min ago");
  expect(at("2026-11-28T09:00:00Z")).toBe("3 h ago");
  expect(at("2026-11-26T11:00:00Z")).toBe("2 d ago");
  expect(at("2026-10-01T12:00:00Z")).toBe("8 weeks ago");
  expect(at("2025-11-01T12:00:00Z")).toBe("a year ago");
  expect(at("2023-11-01T12:00:00Z")).toBe("3 years ago");
});
