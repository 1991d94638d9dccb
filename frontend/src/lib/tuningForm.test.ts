import { describe, expect, it } from "vitest";

import { applies, begin, emptyForm, hints, missing, toOptions, type NumberPath, type TuningForm } from "./tuningForm";

const form = (change: Partial<TuningForm> = {}, numbers: Partial<TuningForm["numbers"]> = {}): TuningForm => {
  const usual = { ...emptyForm(), ...change };
  return { ...usual, numbers: { ...usual.numbers, ...numbers } };
};

const adamw: Partial<TuningForm> = { choices: { ...emptyForm().choices, optimizer: "adamw" } };

describe("a form of fine-tuning", () => {
  it("starts with the server's defaults and a number of epochs", () => {
    expect(emptyForm().numbers).toMatchObject({
      epochs: 5,
      minutes: null,
      batch_size: 128,
      warmup: 0.1,
      average: null,
    });
    expect(emptyForm()).toMatchObject({ choices: { optimizer: "sgd" }, switches: { flip: true }, distils: false });
    expect([missing(emptyForm()), hints(emptyForm())]).toEqual([{}, {}]);
  });

  it("learns from the full network where there are no labels", () => {
    expect(toOptions(emptyForm(false)).distillation).toEqual({ temperature: 4, weight: 0.1 });
  });

  it("begins as it was left, as far as its fields are still there", () => {
    expect(begin(false)).toEqual(emptyForm(false));
    const left = form({ distils: true }, { epochs: null, minutes: 30 });
    expect(begin(true, left)).toEqual(left);
    const { seed: _, ...numbers } = left.numbers;
    const older = { ...left, numbers: { ...numbers, gone: 3 } } as unknown as TuningForm;
    expect(begin(true, older)).toEqual(left);
    expect(JSON.stringify(begin(true, older)), "in the same order").toBe(JSON.stringify(left));
  });

  it("needs a number of epochs or a time limit", () => {
    expect(Object.keys(missing(form({}, { epochs: null })))).toEqual(["epochs"]);
    expect(missing(form({}, { epochs: null, minutes: 10 }))).toEqual({});
  });

  it("says while typing what the server would refuse", () => {
    const cases: [NumberPath, number, string][] = [
      ["epochs", 0, "From 1 to 10,000."],
      ["epochs", 1.5, "Enter a whole number."],
      ["minutes", 0, "Above 0 and at most 100,000."],
      ["momentum", 1, "At least 0 and below 1."],
      ["average", 1, "Above 0 and below 1."],
      ["clip_norm", -1, "At least 0."],
      ["seed", -1, "From 0 to 9,007,199,254,740,991."],
    ];
    for (const [path, value, said] of cases) expect(hints(form({}, { [path]: value }))).toEqual({ [path]: said });
  });

  it("leaves out what is empty or means nothing", () => {
    expect(toOptions(form(adamw, { patience: 2 }))).toMatchObject({
      batch_size: 128,
      clip_norm: 0,
      crop_padding: 0,
      epochs: 5,
      find_learning_rate: false,
      flip: true,
      label_smoothing: 0,
      mixed_precision: true,
      mixup: 0,
      optimizer: "adamw",
      patience: 2,
      seed: 0,
      warmup: 0.1,
    });
    const wrong = form(adamw, { momentum: 9, "distillation.weight": 9 });
    expect([hints(wrong), applies("momentum", wrong)]).toEqual([{}, false]);
    const found = form({ switches: { ...emptyForm().switches, find_learning_rate: true } }, { learning_rate: 0.1 });
    expect(toOptions(found)).not.toHaveProperty("learning_rate");
  });

  it("sends an empty part of distillation as its default", () => {
    const numbers = { "distillation.temperature": 8, "distillation.weight": null };
    expect(toOptions(form({ distils: true }, numbers)).distillation).toEqual({ temperature: 8 });
  });
});
