import { expect, it } from "vitest";

import { Draft, type Store } from "./drafts";

const store = (): Store & { all: Map<string, string> } => {
  const all = new Map<string, string>();
  return {
    all,
    getItem: (name) => all.get(name) ?? null,
    setItem: (name, value) => void all.set(name, value),
    removeItem: (name) => void all.delete(name),
  };
};
const empty = { name: "", seed: 0 as number | null, budgets: [50], racing: true };

it("gives back what was typed, until it is cleared", () => {
  const kept = store();
  const draft = new Draft<typeof empty>(kept, "a form");
  expect(draft.read(empty)).toBeUndefined();
  const typed = { name: "Ünïcode ’quoted’", seed: null, budgets: [30, 20], racing: false };
  draft.write(typed);
  expect(new Draft<typeof empty>(kept, "a form").read(empty)).toEqual(typed);
  expect(new Draft<typeof empty>(kept, "another").read(empty)).toBeUndefined();
  draft.clear();
  expect([draft.read(empty), kept.all.size]).toEqual([undefined, 0]);
});

it("takes over as much as fits of what another version has written", () => {
  const kept = store();
  const draft = new Draft<typeof empty>(kept, "a form");
  kept.setItem("eagleeye.a form", '{"name": "x", "budgets": "many", "gone": 1, "racing": "no"}');
  expect(draft.read(empty)).toEqual({ ...empty, name: "x" });
  for (const nonsense of ["{", "7", "null", '"text"']) {
    kept.setItem("eagleeye.a form", nonsense);
    expect(draft.read(empty)).toBeUndefined();
  }
});

it("does without where the browser keeps nothing", () => {
  const refuse = (): never => {
    throw new Error("forbidden");
  };
  const draft = new Draft<typeof empty>({ getItem: refuse, setItem: refuse, removeItem: refuse }, "a form");
  draft.write(empty);
  draft.clear();
  expect(draft.read(empty)).toBeUndefined();
});
