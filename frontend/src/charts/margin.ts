// The room that a chart keeps around what it plots, in pixels.

export interface Margin {
  top: number;
  right: number;
  bottom: number;
  left: number;
}
