// What is used of a package that has no types of its own.

declare module "svgcanvas" {
  /** A context of a canvas that draws an SVG image. */
  export class Context {
    constructor(width: number, height: number);
    fillStyle: string;
    lineWidth: number;
    textBaseline: CanvasTextBaseline;
    fillRect(x: number, y: number, width: number, height: number): void;
    getSerializedSvg(): string;
  }
}
