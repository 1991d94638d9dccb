import { expect, it } from "vitest";

import { classOrderText, parseClassOrder } from "./classOrder";

it("reads names by output, with commas or on lines, whose names may then have commas", () => {
  expect(parseClassOrder("cat, dog ,")).toEqual(["cat", "dog"]);
  expect(parseClassOrder("great white shark, white shark\ntench\n")).toEqual([
    "great white shark, white shark",
    "tench",
  ]);
});

it("reads outputs by name where every name has one", () => {
  expect(parseClassOrder("cat=1, a = b = 0")).toEqual({ cat: 1, "a = b": 0 });
  expect(parseClassOrder("cat=1, dog")).toEqual(["cat=1", "dog"]);
});

it("leaves the order to the dataset where nothing is typed", () => {
  expect([parseClassOrder(""), parseClassOrder(" \n , ")]).toEqual([undefined, undefined]);
});

it("is said in words", () => {
  expect(classOrderText(["b", "a", "c"], 2)).toBe("b, a, …");
  expect(classOrderText({ b: 0, a: 1 })).toBe("b=0, a=1");
  expect(classOrderText("sorted")).toBe("sorted");
});
