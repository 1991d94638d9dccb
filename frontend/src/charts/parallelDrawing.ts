// What parallel coordinates are drawn of: lines, axes, brushes, and lines that stand out.

import { FONT } from "../lib/compareCanvas";
import { shortened } from "../lib/compareHeat";
import { segments, strength, STRENGTHS } from "../lib/compareParallel";

type Context = CanvasRenderingContext2D | OffscreenCanvasRenderingContext2D;

const MARGIN = { top: 96, right: 52, bottom: 14, left: 44 };
/** Letters of the name above an axis, and pixels that one needs beside the next. */
const LETTERS = 14;
const LABEL = 12;
/** Half the width of a brush. */
const HALF = 6;

/** Where things are: axes from 0, heights from 0 at the bottom to 1. */
export class Frame {
  readonly width: number;
  readonly axes: number;
  readonly tall: number;
  readonly step: number;

  constructor(width: number, height: number, axes: number) {
    [this.width, this.axes] = [width, axes];
    this.tall = height - MARGIN.top - MARGIN.bottom;
    this.step = (width - MARGIN.left - MARGIN.right) / Math.max(1, axes - 1);
  }

  x = (axis: number): number => MARGIN.left + axis * this.step;
  y = (height: number): number => MARGIN.top + (1 - height) * this.tall;

  /** Where a point is: between which axes, at which one, and how high. */
  spot(x: number, y: number): { at: number; axis: number; height: number } {
    const at = (x - MARGIN.left) / this.step;
    return {
      at,
      axis: Math.min(this.axes - 1, Math.max(0, Math.round(at))),
      height: (MARGIN.top + this.tall - y) / this.tall,
    };
  }
}

/** Draws the lines, from one axis to the next in each step; segments that many of them share are stronger. */
export function* drawLines(
  context: Context,
  frame: Frame,
  heights: Float32Array,
  colour: string,
  most: number,
): Generator<void> {
  context.strokeStyle = colour;
  context.lineWidth = 1;
  for (let axis = 0; axis < frame.axes - 1; axis += 1) {
    const shared = segments(heights, frame.axes, axis);
    // Where many cross, each is the fainter.
    const alone = Math.min(0.5, Math.max(0.04, 40 / shared.length));
    for (let level = 0; level < STRENGTHS; level += 1) {
      const drawn = shared.filter(({ lines }) => strength(lines) === level);
      if (drawn.length === 0) continue;
      context.globalAlpha = most * (alone + ((1 - alone) * level) / (STRENGTHS - 1));
      context.beginPath();
      for (const { from, to } of drawn) {
        context.moveTo(frame.x(axis), frame.y(from));
        context.lineTo(frame.x(axis + 1), frame.y(to));
      }
      context.stroke();
    }
    context.globalAlpha = 1;
    yield;
  }
}

/** A tick with its height. */
export interface Tick {
  height: number;
  text: string;
}

/** The axes with their names; ticks of the first stand on the left, those of the last on the right. */
export function drawAxes(
  context: Context,
  frame: Frame,
  names: readonly string[],
  ticks: { left: readonly Tick[]; right: readonly Tick[] },
  colours: { line: string; text: string },
): void {
  const last = names.length - 1;
  const every = Math.ceil(LABEL / frame.step);
  context.font = FONT;
  context.strokeStyle = colours.line;
  context.fillStyle = colours.text;
  context.textAlign = "left";
  for (const [axis, name] of names.entries()) {
    context.beginPath();
    context.moveTo(frame.x(axis), frame.y(0));
    context.lineTo(frame.x(axis), frame.y(1));
    context.stroke();
    // The last one's name is always there, and needs its room.
    if (axis !== last && (axis % every !== 0 || (last - axis) * frame.step < LABEL)) continue;
    context.save();
    context.translate(frame.x(axis), MARGIN.top - 8);
    context.rotate(-Math.PI / 2);
    context.fillText(shortened(name, LETTERS), 0, 0);
    context.restore();
  }
  for (const { height, text } of ticks.right) context.fillText(text, frame.x(last) + 8, frame.y(height));
  context.textAlign = "right";
  for (const { height, text } of ticks.left) context.fillText(text, MARGIN.left - 8, frame.y(height));
}

/** A brush on an axis between two heights. */
export function drawBrush(
  context: Context,
  frame: Frame,
  axis: number,
  from: number,
  to: number,
  colour: string,
): void {
  const [low, high] = [frame.y(from), frame.y(to)];
  const place = [frame.x(axis) - HALF, high, 2 * HALF, Math.max(2, low - high)] as const;
  context.globalAlpha = 0.3;
  context.fillStyle = colour;
  context.fillRect(...place);
  context.globalAlpha = 1;
  context.strokeStyle = colour;
  context.lineWidth = 1;
  context.strokeRect(...place);
}

/** One line that stands out from the others. */
export function drawLine(context: Context, frame: Frame, heights: Float32Array, colour: string, surface: string): void {
  for (const [stroke, thickness] of [
    [surface, 6],
    [colour, 2.5],
  ] as const) {
    context.strokeStyle = stroke;
    context.lineWidth = thickness;
    context.beginPath();
    for (const [axis, height] of heights.entries()) context.lineTo(frame.x(axis), frame.y(height));
    context.stroke();
  }
}

/** Where the cursor is on a line. */
export function drawCursor(context: Context, frame: Frame, axis: number, height: number, colour: string): void {
  context.fillStyle = colour;
  context.beginPath();
  context.arc(frame.x(axis), frame.y(height), 5, 0, 2 * Math.PI);
  context.fill();
}
