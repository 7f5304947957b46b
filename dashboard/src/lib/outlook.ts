// When a verdict may come, if evidence goes on growing as it did: a forecast for people, which decides nothing.
import type { Metric, Score, Series, TestSeries } from "./ask";

/** From how many pieces of the past the rate of growth is told, and how far its ends are apart: a 90 % interval of five. */
const PIECES = 5;
const T_90 = 2.132;

export type Outlook =
  | { kind: "reached" }
  | { kind: "too early" }
  | { kind: "not in sight" }
  | { kind: "expected"; ms: number; from: number; to: number | null; metric: string };

/** Part of the way to the proof; ln E grows with the evidence, a walk z with its square root. */
function part(isWalk: boolean, test: TestSeries, place: number): number | null {
  const [value, bound] = [test.value[place], test.bound[place]];
  if (value === null || value === undefined || bound === null || bound === undefined || bound <= 0) return null;
  const reached = Math.max(value, isWalk ? 0 : -bound) / bound;
  return isWalk ? reached * reached : reached;
}

function of(series: Series, name: string, test: TestSeries, score: Score): Outlook {
  const isWalk = score !== null && typeof score === "object" && "boundary" in score;
  const known = series.at_ms.flatMap((at, place) => {
    const value = part(isWalk, test, place);
    return value === null ? [] : [{ at, value }];
  });
  const last = known.at(-1);
  if (!last) return { kind: "too early" };
  if (test.value.some((value, place) => value !== null && value >= (test.bound[place] ?? Infinity))) return { kind: "reached" };
  if (known.length < 4 * PIECES) return { kind: "too early" };
  // The second half: early evidence grows while the candidate's share is still small.
  const recent = known.slice(Math.floor(known.length / 2));
  const rates = Array.from({ length: PIECES }, (_, piece) => {
    const edge = (number: number) => recent[Math.round((number * (recent.length - 1)) / PIECES)] ?? last;
    const [from, to] = [edge(piece), edge(piece + 1)];
    return (to.value - from.value) / Math.max(1, to.at - from.at);
  });
  const mean = rates.reduce((sum, rate) => sum + rate, 0) / PIECES;
  const spread = Math.sqrt(rates.reduce((sum, rate) => sum + (rate - mean) ** 2, 0) / (PIECES - 1) / PIECES);
  const [slow, fast] = [mean - T_90 * spread, mean + T_90 * spread];
  // What has not moved at all has not begun.
  if (rates.every((rate) => rate === 0)) return { kind: "too early" };
  if (mean <= 0 || fast <= 0) return { kind: "not in sight" };
  const left = 1 - last.value;
  return { kind: "expected", ms: left / mean, from: left / fast, to: slow > 0 ? left / slow : null, metric: name };
}

/** Of a candidate: a promotion needs every proof, so the slowest tells when; harm needs one, so the fastest does. */
export function outlook(series: Series, all: Metric[], arm: string): { promotion: Outlook; rollback: Outlook } {
  const its = all.filter((metric) => metric.arm === arm);
  const ask = (metric: Metric, key: "superior" | "not_worse" | "worse"): Outlook[] => {
    const drawn = series.metrics.find((one) => one.arm === arm && one.name === metric.name);
    return drawn && metric[key] !== null ? [of(series, metric.name, drawn[key], metric[key])] : [];
  };
  const wanted = its.flatMap((metric) => ask(metric, metric.role === "goal" ? "superior" : "not_worse"));
  const harms = its.flatMap((metric) => ask(metric, "worse"));
  const open = wanted.filter((one) => one.kind !== "reached");
  const blocked = open.find((one) => one.kind === "not in sight") ?? open.find((one) => one.kind === "too early");
  const expected = (some: Outlook[]) => some.filter((one) => one.kind === "expected");
  const slowest = expected(open).toSorted((a, b) => b.ms - a.ms)[0];
  const fastest = expected(harms).toSorted((a, b) => a.ms - b.ms)[0];
  return {
    promotion: open.length === 0 && wanted.length > 0 ? { kind: "reached" } : (blocked ?? slowest ?? { kind: "too early" }),
    rollback: harms.some((one) => one.kind === "reached") ? { kind: "reached" } : (fastest ?? harms.find((one) => one.kind === "too early") ?? { kind: "not in sight" }),
  };
}
