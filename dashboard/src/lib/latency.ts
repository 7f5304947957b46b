// Quantiles of a histogram with fixed bounds, as Prometheus would tell them.
import type { Seen } from "./ask";

/** The quantile by linear interpolation in its bucket; the last bound where it lies above all of them. */
export function quantile(bounds: number[], counts: number[], at: number): number | null {
  const all = counts.reduce((sum, count) => sum + count, 0);
  if (all === 0) return null;
  const rank = at * all;
  let before = 0;
  for (const [place, count] of counts.entries()) {
    if (before + count >= rank && count > 0) {
      const [low, high] = [place === 0 ? 0 : (bounds[place - 1] ?? 0), bounds[place]];
      return high === undefined ? low : low + ((high - low) * (rank - before)) / count;
    }
    before += count;
  }
  return bounds.at(-1) ?? null;
}

/** What came between two looks at a histogram; all of it, if its counts began anew. */
export function between(before: Seen | undefined, now: Seen): number[] {
  if (!before || before.count > now.count) return [...now.counts];
  return now.counts.map((count, place) => Math.max(0, count - (before.counts[place] ?? 0)));
}

export const added = (all: number[][]): number[] =>
  all.reduce<number[]>((sum, one) => one.map((count, place) => count + (sum[place] ?? 0)), []);
