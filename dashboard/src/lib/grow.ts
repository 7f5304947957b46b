// A history that grows: only what is new is asked for, and joined to what is there.
import type { Series } from "./ask";

/** Beyond this, Wald has thinned what it keeps: the whole is asked for again. */
const MOMENTS_MAX = 600;

/** The moment after which to ask; the newest one is provisional, and comes again. None for everything. */
export function known(series: Series | null): number | null {
  const last = series?.at_ms.at(-2);
  return series && last !== undefined && series.at_ms.length < MOMENTS_MAX ? last : null;
}

/** Joins what came after a moment; another run has another history. */
export function grown(before: Series | null, fresh: Series, after: number | null): Series {
  if (!before || after === null || before.run !== fresh.run) return fresh;
  const length = before.at_ms.length;
  const kept = before.at_ms.filter((at) => at <= after).length;
  const isColumn = (value: unknown): value is (number | null)[] =>
    Array.isArray(value) && value.length === length && value.every((one) => one === null || typeof one === "number");
  const join = (old: unknown, now: unknown): unknown => {
    if (isColumn(old) && Array.isArray(now)) return [...old.slice(0, kept), ...(now as (number | null)[])];
    if (Array.isArray(old) && Array.isArray(now)) return now.map((one, place) => join(old[place], one));
    if (old !== null && now !== null && typeof old === "object" && typeof now === "object") {
      return Object.fromEntries(Object.entries(now).map(([key, value]) => [key, join((old as Record<string, unknown>)[key], value)]));
    }
    return now;
  };
  return join(before, fresh) as Series;
}
