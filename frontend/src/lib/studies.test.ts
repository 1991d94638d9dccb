import { describe, expect, it } from "vitest";

import type { BudgetStudy, Correlation, PredictorStudy } from "../api/types";
import * as studies from "./studies";

const spearman = (value: number | null): Correlation[] => [
  { coefficient: "spearman", value, interval: value === null ? null : { low: value - 0.5, high: value } },
];

const predictor = (name: string, value: number | null): PredictorStudy => ({
  predictor: { of: "parameters" },
  name,
  candidates: 2,
  correlations: spearman(value),
  above_ranking: null,
  regret: 0,
  winner: 0,
  seconds: 0,
});

const study = (predictors: PredictorStudy[], candidates: BudgetStudy["candidates"] = []): BudgetStudy => ({
  budget: "50% of the MACs",
  accuracy: { lowest: 0.8, highest: 0.9, spread: 0.05, noise: null, seconds: 60, regret: null },
  ceiling: null,
  attainable: null,
  undecided: [],
  predictors,
  training: [],
  candidates,
});

it("tables predictions with every interval: evaluations first, then fine-tunings, of which the ceiling is one", () => {
  const known = study([predictor("parameters", 0.25), predictor("adaptive BN", 0.75)]);
  const training = [{ epochs: 1, of: 3, correlations: spearman(0.5), regret: 0.01, seconds: 20 }];
  const { header, rows } = studies.predictionTable({ ...known, training, ceiling: spearman(0.875) });
  const lines = rows.map((row) => Object.fromEntries(header.map((name, place) => [name, row[place]])));
  expect(lines.map(({ known_before, is_fine_tuning, spearman }) => [known_before, is_fine_tuning, spearman])).toEqual([
    ["adaptive BN", false, 0.75],
    ["parameters", false, 0.25],
    ["fine-tuned, after epoch 1 of 3", true, 0.5],
    ["another fine-tuning (the ceiling)", true, 0.875],
  ]);
  expect(lines[0]).toMatchObject({
    spearman_low: 0.25,
    spearman_high: 0.75,
    pearson: undefined,
    kendall_low: undefined,
  });
  expect(lines[2]).toMatchObject({ above_ranking: undefined, regret: 0.01, seconds: 20 });
  expect(lines[3], "of the study's own accuracies").toMatchObject({ regret: null, seconds: 60 });
  expect(studies.predictions(known).length, "without a ceiling").toBe(2);
});

it("ranks evaluations by what they predict, but not by coefficients that decide nothing", () => {
  const known = study([predictor("parameters", 0.25), predictor("adaptive BN", 0.75)]);
  const places = (one: typeof known): number[] => studies.byAgreement(one).map(({ place }) => place);
  expect(places(known)).toEqual([1, 0]);
  expect(places({ ...known, undecided: [{ reason: "few_candidates", message: "Take more" }] })).toEqual([0, 1]);
});

describe("the form of a study", () => {
  it("asks for what it shows", () => {
    const form = { ...studies.emptyForm(), epochs: 3, seeds: "1, 2,5" };
    expect(studies.missing(form)).toEqual({});
    expect(studies.hints(form)).toEqual({});
    expect(studies.toRequest(form)).toEqual({
      candidates: 24,
      seeds: [1, 2, 5],
      options: { epochs: 3, start: "adapted", flip: true },
    });
  });

  it("says what is missing or wrong with each field", () => {
    expect(studies.missing({ candidates: null, epochs: null, seeds: " ", start: "adapted", flip: true })).toEqual({
      candidates: expect.any(String),
      "options.epochs": expect.any(String),
      seeds: expect.any(String),
    });
    const wrong = (seeds: string) => studies.hints({ ...studies.emptyForm(), seeds }).seeds;
    expect(wrong("1, x")).toContain("Whole numbers");
    expect(wrong("1, -2")).toContain("Whole numbers");
    expect(wrong("2, 2")).toBe("Each seed once.");
    expect(wrong("1 2 3 4 5")).toContain("At most 4");
    const { candidates, "options.epochs": epochs } = studies.hints({
      ...studies.emptyForm(),
      candidates: 1,
      epochs: 0,
    });
    expect([candidates, epochs]).toEqual(["A whole number from 2 to 100.", "A whole number from 1 to 10,000."]);
  });

  it("counts each network once, and no probes", () => {
    const of = (budget: number | null, kept: number, is_probe = false) => ({
      origin: { strategy: "random", budget, number: 0, is_probe },
      kept: [kept],
    });
    const candidates = [of(0, 4), of(0, 4), of(0, 6), of(1, 4), of(1, 5, true), of(null, 2)];
    expect(studies.networksOf(2, candidates as never)).toEqual([2, 1]);
  });

  it("asks for as many candidates as the search has, and for no more", () => {
    expect([[60], [9, 4], [1], []].map(studies.usualOf)).toEqual([24, 9, 2, 2]);
    expect([[160], [60], [9, 4], [1]].map(studies.mostOf)).toEqual([100, 60, 9, 2]);
    const form = { ...studies.emptyForm(), candidates: 10 };
    expect(studies.hints(form, 9).candidates).toBe("A whole number from 2 to 9.");
    expect(studies.hints(form, 2).candidates).toBe("A study takes 2 of this search.");
    expect(studies.hints(form, 10)).toEqual({});
  });

  it("says beforehand where too few candidates decide nothing", () => {
    expect(studies.tooFew([11])).toMatch(/^This search has 11 candidates, fewer than 12: .* cannot decide anything/);
    expect(studies.tooFew([11])).toMatch(/more candidates \(24\), without a race/);
    expect(studies.tooFew([4, 9])).toContain("9 candidates of a budget at most");
    expect(studies.tooFew([4, 12])).toContain("Some budgets");
    expect([studies.tooFew([12]), studies.tooFew([0]), studies.tooFew([])]).toEqual([undefined, undefined, undefined]);
  });

  it("counts the fine-tunings of all budgets and seeds", () => {
    expect(studies.fineTunings({ ...studies.emptyForm(), candidates: 10 }, [25, 4])).toBe(28);
    expect(studies.fineTunings({ ...studies.emptyForm(), candidates: null }, [25])).toBe(0);
  });
});

describe("a study in words", () => {
  const member = (candidate: string, state: "succeeded" | "running" | "queued") => ({
    tuning_id: `${candidate}-${state}`,
    candidate_id: candidate,
    index: 0,
    seed: 1,
    state,
    error: null as string | null,
    waiting_for: null as string | null,
  });

  it("says what is fine-tuned and how far it is", () => {
    const members = [member("a", "succeeded"), member("a", "running"), member("b", "queued"), member("b", "queued")];
    const request = { candidates: 24, seeds: [1, 2], options: { epochs: 3 } };
    expect(studies.planText({ members, request: request as never })).toBe("2 candidates, 2 seeds, 3 epochs");
    expect(studies.progressOf({ members })).toEqual({ done: 1, total: 4, text: "Fine-tunings: 1 of 4, 1 running" });
  });

  it("says once what several have failed of or wait for", () => {
    const failed = { ...member("a", "queued"), error: "the loss is no number" };
    const waiting = { ...member("b", "running"), waiting_for: "the disk" };
    expect(
      studies.troubles({ members: [failed, waiting, { ...failed, tuning_id: "x" }, member("c", "queued")] }),
    ).toEqual([
      { text: "2 fine-tunings: the loss is no number", tuningId: "a-queued" },
      { text: "1 fine-tuning: Waiting for the disk", tuningId: "b-running" },
    ]);
  });

  it("writes a coefficient with its interval, and none where there is none", () => {
    expect(studies.correlationText(spearman(0.25)[0])).toBe("0.25 (−0.25 to 0.25)");
    expect(studies.correlationText(spearman(null)[0])).toBe("–");
    expect(studies.correlationText(null)).toBe("–");
  });

  it("says which images a predictor is from", () => {
    const kinds = { of: "evaluation", kind: "adapted", measure: "top1" } as const;
    const of = (found: PredictorStudy["predictor"]): string =>
      studies.predictorName({ ...predictor("as in the report", 1), predictor: found });
    const adapted = { ...kinds, calibration_images: 512, scoring_images: 1800 };
    expect(of(adapted)).toBe("adaptive BN, top-1 (512 calibration, 1,800 scoring images)");
    expect(of({ ...adapted, kind: "unadapted", measure: "kl", calibration_images: 0 })).toBe(
      "vanilla, minus KL (1,800 scoring images)",
    );
    expect(of({ ...adapted, calibration_images: null })).toBe("adaptive BN, top-1 (1,800 scoring images)");
    expect(of({ of: "parameters" })).toBe("as in the report");
    expect(studies.shortName({ name: "", predictor: adapted })).toBe("adaptive BN, top-1");
  });

  it("writes shares as percentages and other values as they are", () => {
    const of = (found: PredictorStudy["predictor"], value: number) => studies.valueText({ predictor: found }, value);
    const evaluation = { of: "evaluation", kind: "adapted", calibration_images: 512, scoring_images: 1000 } as const;
    expect(of({ ...evaluation, measure: "top1" }, 0.9123)).toBe("91.23%");
    expect(of({ ...evaluation, measure: "kl" }, -0.5)).toBe("−0.500");
    expect(of({ of: "parameters" }, 12_345)).toBe("12,345");
    expect(of({ of: "smallest_keep_ratio" }, 0.1)).toBe("10.00%");
  });
});

describe("the figure of a study", () => {
  it("lists the best predictor first, and those that are not known of all candidates last", () => {
    const of = { strategy: "random" as const, tuned: [0.9], values: [] };
    const two = [
      { ...of, candidate: 0 },
      { ...of, candidate: 1 },
    ];
    const few = { ...predictor("few", 1), candidates: 1 };
    const found = studies.byAgreement(
      study([predictor("a", 0.2), predictor("b", null), predictor("c", 0.7), few], two),
    );
    expect(found.map(({ predictor: { name }, place }) => [name, place])).toEqual([
      ["c", 2],
      ["a", 0],
      ["b", 1],
      ["few", 3],
    ]);
  });

  it("has a mark for each candidate whose value is known", () => {
    const candidates: BudgetStudy["candidates"] = [
      { candidate: 0, strategy: "uniform", tuned: [0.8, 0.9], values: [2] },
      { candidate: 1, strategy: "random", tuned: [0.7, 0.7], values: [1] },
      { candidate: 2, strategy: "random", tuned: [0.6, 0.6], values: [null] },
    ];
    const marks = studies.marksOf(study([predictor("a", 1)], candidates), 0);
    expect(marks.map(({ candidate, value, low, high }) => [candidate, value, low, high])).toEqual([
      [1, 1, 0.7, 0.7],
      [0, 2, 0.8, 0.9],
    ]);
    expect(marks[1]?.tuned).toBeCloseTo(0.85);
  });

  it("is a table with a column for each predictor and each fine-tuning", () => {
    const candidates: BudgetStudy["candidates"] = [
      { candidate: 0, strategy: "uniform", tuned: [0.8, 0.9], values: [2, null] },
      { candidate: 1, strategy: "random", tuned: [0.7], values: [1, 5] },
    ];
    expect(studies.studyTable(study([predictor("a", 1), predictor("b", 1)], candidates))).toEqual({
      header: ["candidate", "strategy", "a", "b", "top1 of fine-tuning 1", "top1 of fine-tuning 2"],
      rows: [
        [0, "uniform", 2, null, 0.8, 0.9],
        [1, "random", 1, 5, 0.7, undefined],
      ],
    });
  });
});
