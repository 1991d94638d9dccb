import { describe, expect, it } from "vitest";

import type { TuningRaceMember } from "../api/types";
import { emptyForm, hints, leastEpochs, missing, rungsText, standingText, toRequest } from "./tuningRaces";

const RUNGS = [
  { candidates: 4, until_epoch: 2 },
  { candidates: 2, until_epoch: 6 },
  { candidates: 1, until_epoch: 14 },
];

describe("the form of a tuning race", () => {
  it("starts with no more candidates than there are, and with three times the fewest epochs", () => {
    expect(emptyForm(48)).toEqual({ candidates: 4, epochs: 21, budget: 0, start: "adapted" });
    expect(emptyForm(3)).toMatchObject({ candidates: 3, epochs: 18 });
    expect(hints(emptyForm(48), 48)).toEqual({});
  });

  it("knows the fewest epochs as the server does", () => {
    expect([2, 3, 4, 5, 64].map(leastEpochs)).toEqual([3, 6, 7, 11, 127]);
  });

  it("says while typing what the server would refuse", () => {
    const form = emptyForm(48);
    expect(hints({ ...form, epochs: 6 }, 48)).toEqual({ epochs: "A whole number from 7 to 10,000." });
    expect(hints({ ...form, epochs: 7.5 }, 48)).toEqual({ epochs: "A whole number from 7 to 10,000." });
    expect(hints({ ...form, candidates: 4 }, 3)).toEqual({ candidates: "A whole number from 2 to 3." });
    expect(hints({ ...form, candidates: 65, epochs: 200 }, 90)).toEqual({ candidates: "A whole number from 2 to 64." });
    expect(hints(form, 1)).toEqual({ candidates: "This budget has too few candidates." });
  });

  it("needs both numbers", () => {
    const empty = { ...emptyForm(48), candidates: null, epochs: null };
    expect(Object.keys(missing(empty))).toEqual(["candidates", "epochs"]);
    expect([missing(emptyForm(48)), hints(empty, 48)]).toEqual([{}, {}]);
  });

  it("asks for the weights that training starts from", () => {
    expect(toRequest({ candidates: 3, epochs: 9, budget: 1, start: "repaired" })).toEqual({
      candidates: 3,
      epochs: 9,
      budget: 1,
      options: { start: "repaired" },
    });
  });
});

describe("a tuning race", () => {
  it("is told rung by rung", () => {
    expect(rungsText({ rungs: RUNGS })).toBe("4 candidates for 2 epochs, 2 until epoch 6, 1 until epoch 14");
    expect(rungsText({ rungs: [] })).toBe("");
  });

  it("says how each candidate stands", () => {
    const race = { rungs: RUNGS, winner_id: "a" };
    const member = { tuning_id: "b", rung: 1, epochs: 6, is_out: false } as TuningRaceMember;
    expect(standingText(race, { ...member, tuning_id: "a" })).toBe("Has won");
    expect(standingText(race, member)).toBe("Rung 2 of 3");
    expect(standingText(race, { ...member, is_out: true })).toBe("Out after 6 epochs");
  });
});
