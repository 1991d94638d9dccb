import { describe, expect, it } from "vitest";

import type { Warning } from "../api/types";
import { aSearch } from "./fixtures";
import { findingOf, otherWarnings, warningTitle } from "./warnings";

const warning = (code: Warning["code"], message = ""): Warning => ({ code, message, at: "before" });

/** As the engine words them. */
const CHANCE =
  "the full network classifies 10.7% of the 300 scoring images correctly, which is chance for 10 classes: check the mean, " +
  "deviation and scale, the order of the classes and the input size";
const ABOVE =
  "the best candidate classifies 93.5% of the 1000 scoring images correctly and the full network only 71.7%: pruning cannot " +
  "cause this, so the preprocessing probably differs from the one used in training, or the images are of a different kind; " +
  "check the mean, deviation, scale and input size";

it("calls warnings by words, those of a newer server as well", () => {
  expect(warningTitle({ code: "near_chance" })).toBe("Full network near chance");
  expect(warningTitle({ code: "from_the_future" as "near_chance" })).toBe("From the future");
});

describe("the warnings of a failed search", () => {
  const left = (error: string | null, ...warnings: Warning[]): string[] =>
    otherWarnings(aSearch({ state: "failed", error, warnings })).map(({ code }) => code);

  it("leave out the finding that ended it", () => {
    expect(left(CHANCE, warning("near_chance"), warning("one_answer"))).toEqual(["one_answer"]);
    expect(left(ABOVE, warning("above_full_network"), warning("few_scoring_images"))).toEqual(["few_scoring_images"]);
  });

  it("leave out what has the words of the error", () => {
    const error = "the candidate could not be repaired";
    expect(left(error, warning("not_repaired", "The candidate could not be repaired."))).toEqual([]);
  });

  it("are all there where something else ended it, or nothing did", () => {
    expect(left("libtorch: out of memory", warning("above_full_network"))).toEqual(["above_full_network"]);
    expect(left(null, warning("near_chance"))).toEqual(["near_chance"]);
    expect([findingOf("libtorch: out of memory"), findingOf(null)]).toEqual([undefined, undefined]);
  });
});
