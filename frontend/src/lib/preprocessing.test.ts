import { describe, expect, it } from "vitest";

import type { Preset } from "../api/types";
import {
  emptyPreprocessing,
  isPreset,
  offeredPresets,
  parseNumbers,
  presetFields,
  presetValues,
  resizeText,
  toPreprocessing,
  usualPreset,
  type PreprocessingFields,
} from "./preprocessing";

const photographs: Preset = {
  name: "photographs",
  summary: "Photographs.",
  input_channels: 3,
  input_size: 224,
  mean: [0.485, 0.456, 0.406],
  deviation: [0.229, 0.224, 0.225],
  scale: 1 / 255,
  resize: { mode: "shorter_side", size: 256 },
  filter: "bicubic",
  channels: "rgb",
};
const small: Preset = { ...photographs, name: "small", input_size: 32, resize: { mode: "cover" }, filter: "bilinear" };
const digits: Preset = { ...small, name: "digits", input_channels: 1, input_size: 28, mean: [0.13], deviation: [0.31] };
const bytes: Preset = {
  ...small,
  name: "bytes",
  input_channels: null,
  input_size: null,
  mean: [0],
  deviation: [1],
  scale: 1,
};
const blueFirst: Preset = { ...photographs, name: "blue", channels: "bgr", scale: 1, deviation: [1, 1, 1] };
const all = [photographs, blueFirst, small, digits, bytes];

const input = (channels: number, side: number) => ({ input_shape: [1, channels, side, side] });
const fields = (change: Partial<PreprocessingFields>): PreprocessingFields => ({ ...emptyPreprocessing(), ...change });
const names = (presets: Preset[]): string[] => presets.map(({ name }) => name);

describe("parseNumbers", () => {
  it("takes commas and blanks, and nothing but numbers", () => {
    expect(parseNumbers("0.485, 0.456 .406")).toEqual([0.485, 0.456, 0.406]);
    for (const text of ["", " , ", "a", "1, x", "1,Infinity"]) expect(parseNumbers(text)).toBeUndefined();
  });
});

describe("presets", () => {
  it("are those for the model's channels, its own input size first", () => {
    const { own, any, others } = offeredPresets(all, input(3, 224));
    expect([names(own), names(any), names(others)]).toEqual([["photographs", "blue"], ["bytes"], ["small"]]);
    expect(names(offeredPresets(all, input(4, 224)).any)).toEqual(["bytes"]);
    expect(names(offeredPresets(all, { input_shape: [1, 3, 224, 256] }).own)).toEqual([]);
  });

  it("are proposed by the model's input", () => {
    const proposed = (channels: number, side: number) => usualPreset(all, input(channels, side))?.name;
    expect([proposed(3, 224), proposed(3, 32), proposed(1, 28)]).toEqual(["photographs", "small", "digits"]);
    expect([proposed(3, 64), proposed(1, 64), proposed(4, 224)]).toEqual(["photographs", "bytes", "bytes"]);
    expect(usualPreset([], input(3, 224))).toBeUndefined();
  });

  it("set everything for a model of their own input size", () => {
    expect(toPreprocessing(fields(presetFields(photographs, input(3, 224))))).toEqual({
      mean: photographs.mean,
      deviation: photographs.deviation,
      scale: 1 / 255,
      resize: { mode: "shorter_side", size: 256 },
      filter: "bicubic",
      channels: "rgb",
    });
    expect(presetFields(blueFirst, input(3, 224))).toMatchObject({ scale: 1, channelOrder: "bgr" });
  });

  it("do not resize for another input size than the model's", () => {
    expect(presetFields(photographs, input(3, 32))).toMatchObject({ resize: "cover", shorterSide: null });
  });

  it("have one value for every channel where they are for any number of them", () => {
    expect(presetValues(bytes, input(2, 8))).toEqual({
      mean: "0, 0",
      deviation: "1, 1",
      scale: 1,
      channelOrder: "rgb",
    });
  });

  it("are recognised however their values are typed, until one of them is changed", () => {
    const typed = fields({ ...presetFields(small, input(3, 32)), mean: ".485 .456 .406", scale: 0.00392156862745098 });
    expect(isPreset(typed, small, input(3, 32))).toBe(true);
    expect(isPreset(typed, blueFirst, input(3, 32))).toBe(false);
    expect(isPreset({ ...typed, shorterSide: 40 }, small, input(3, 32)), "a side that the mode has no use for").toBe(
      true,
    );
    for (const change of [{ mean: "0,0,0" }, { scale: 1 }, { resize: "stretch" }, { channelOrder: "bgr" }] as const) {
      expect(isPreset({ ...typed, ...change }, small, input(3, 32))).toBe(false);
    }
  });
});

it("says in words how images are resized", () => {
  const text = (change: Partial<PreprocessingFields>) => resizeText(toPreprocessing(fields(change)));
  expect(text({})).toBe("middle to input, bilinear");
  expect(text({ resize: "stretch", filter: "lanczos" })).toBe("stretched, lanczos");
  expect(text({ resize: "shorter_side", shorterSide: 256, channelOrder: "bgr" })).toBe(
    "shorter side 256, middle, bilinear, blue first",
  );
});
