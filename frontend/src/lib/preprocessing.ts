// From pixels to a network's input: what the form has of it, and the presets that fill it in.

import type { ChannelOrder, Filter, ModelSummary, Preprocessing, Preset, Resize } from "../api/types";

/** The fields as they are typed. */
export interface PreprocessingFields {
  /** Numbers with commas between them, one per channel. */
  mean: string;
  deviation: string;
  /** Empty stands for 1/255. */
  scale: number | null;
  resize: Resize["mode"];
  /** Pixels of the shorter side; used with the mode of that name. */
  shorterSide: number | null;
  filter: Filter;
  channelOrder: ChannelOrder;
}

export const emptyPreprocessing = (): PreprocessingFields => ({
  mean: "",
  deviation: "",
  scale: null,
  resize: "cover",
  shorterSide: null,
  filter: "bilinear",
  channelOrder: "rgb",
});

type Input = Pick<ModelSummary, "input_shape">;

/** Channels of a model's input, [batch, channels, height, width]. */
export const inputChannels = ({ input_shape }: Input): number => input_shape[1] ?? 1;

/** Reads numbers with commas or blanks between them; undefined where something else stands there. */
export function parseNumbers(text: string): number[] | undefined {
  const words = text.split(/[\s,;]+/).filter(Boolean);
  const numbers = words.map(Number);
  return numbers.length > 0 && numbers.every(Number.isFinite) ? numbers : undefined;
}

/** What a field shows for a list of numbers. */
export const listed = (numbers: number[]): string => numbers.join(", ");

const USUAL_SCALE = 1 / 255;

/** The preprocessing that complete fields stand for. */
export function toPreprocessing(fields: PreprocessingFields): Preprocessing {
  const size = fields.shorterSide ?? 0;
  return {
    mean: parseNumbers(fields.mean) ?? [],
    deviation: parseNumbers(fields.deviation) ?? [],
    scale: fields.scale ?? USUAL_SCALE,
    resize: fields.resize === "shorter_side" ? { mode: "shorter_side", size } : { mode: fields.resize },
    filter: fields.filter,
    channels: fields.channelOrder,
  };
}

/** The fields that stand for a preprocessing; what a request may leave out has the server's defaults. */
export function preprocessingFields(preprocessing: Preprocessing): PreprocessingFields {
  const { mean, deviation, scale, resize = { mode: "cover" }, filter, channels } = preprocessing;
  return {
    mean: listed(mean),
    deviation: listed(deviation),
    scale: scale === undefined || isUsualScale(scale) ? null : scale,
    resize: resize.mode,
    shorterSide: resize.mode === "shorter_side" ? resize.size : null,
    filter: filter ?? "bilinear",
    channelOrder: channels ?? "rgb",
  };
}

/** How images become the network's input, in words: `shorter side 256, middle, bicubic, blue first`. */
export function resizeText({ resize = { mode: "cover" }, filter, channels }: Preprocessing): string {
  const ways = { cover: "middle to input", stretch: "stretched", shorter_side: "shorter side" };
  const way = resize.mode === "shorter_side" ? `${ways[resize.mode]} ${resize.size}, middle` : ways[resize.mode];
  return [way, filter ?? "bilinear", ...(channels === "bgr" ? ["blue first"] : [])].join(", ");
}

/** The presets for a model, those for its input size first. */
export function offeredPresets(presets: readonly Preset[], model: Input): Record<"own" | "any" | "others", Preset[]> {
  const fitting = presets.filter(
    ({ input_channels }) => (input_channels ?? inputChannels(model)) === inputChannels(model),
  );
  return {
    own: fitting.filter((preset) => isOfSize(preset, model)),
    any: fitting.filter(({ input_size }) => input_size === null),
    others: fitting.filter((preset) => preset.input_size !== null && !isOfSize(preset, model)),
  };
}

/** The likeliest preset for a model of which nothing but its input is known. */
export function usualPreset(presets: readonly Preset[], model: Input): Preset | undefined {
  const { own, any, others } = offeredPresets(presets, model);
  return own[0] ?? (inputChannels(model) === 3 ? others[0] : undefined) ?? any[0];
}

const isOfSize = ({ input_size }: Preset, { input_shape: [, , height, width] }: Input): boolean =>
  input_size !== null && height === input_size && width === input_size;

/** What a preset does with the values of pixels. */
export function presetValues(preset: Preset, model: Input): Partial<PreprocessingFields> {
  const each = (values: number[]): number[] =>
    values.length === 1 ? Array<number>(inputChannels(model)).fill(values[0]!) : values;
  return {
    mean: listed(each(preset.mean)),
    deviation: listed(each(preset.deviation)),
    scale: isUsualScale(preset.scale) ? null : preset.scale,
    channelOrder: preset.channels,
  };
}

/**
 * All that a preset sets. How images are resized is meant for its own input size: a shorter side of 256 pixels leaves a
 * corner of the image to an input of 32. For another size images are cut to the input's proportions.
 */
export function presetFields(preset: Preset, model: Input): Partial<PreprocessingFields> {
  const { filter } = preset;
  const resize: Resize = usesResize(preset, model) ? preset.resize : { mode: "cover" };
  const shorterSide = resize.mode === "shorter_side" ? resize.size : null;
  return { ...presetValues(preset, model), filter, resize: resize.mode, shorterSide };
}

/** Whether a preset's way to resize images is meant for the model's input. */
export const usesResize = (preset: Preset, model: Input): boolean =>
  preset.input_size === null || isOfSize(preset, model);

/** Whether the fields are as a preset sets them. */
export function isPreset(fields: PreprocessingFields, preset: Preset, model: Input): boolean {
  const wanted = { ...fields, ...presetFields(preset, model) };
  return JSON.stringify(comparable(fields)) === JSON.stringify(comparable(wanted));
}

/** What fields come to, however they are typed. */
function comparable(fields: PreprocessingFields): unknown {
  const { scale, ...rest } = toPreprocessing(fields);
  return [isUsualScale(scale) ? USUAL_SCALE : scale, rest];
}

const isUsualScale = (scale: number): boolean => Math.abs(scale / USUAL_SCALE - 1) < 1e-9;
