// Which points no other one beats.

export interface Trade {
  /** Less is better. */
  x: number;
  /** More is better. */
  y: number;
}

/** The points that no other is better than in one regard without being worse in the other, by x; of equal ones the first. */
export function paretoFront<T extends Trade>(points: readonly T[]): T[] {
  const front: T[] = [];
  for (const point of [...points].sort((a, b) => a.x - b.x || b.y - a.y)) {
    const last = front.at(-1);
    if (!last || point.y > last.y) front.push(point);
  }
  return front;
}

/** The front as the corners of its steps: what accuracy can be had for at most so much. */
export const stepCorners = (front: readonly Trade[]): Trade[] =>
  front.flatMap((point, place) => {
    const before = front[place - 1];
    return before ? [{ x: point.x, y: before.y }, point] : [point];
  });
