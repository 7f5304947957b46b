// What the dashboard works out by itself: quantiles, forecasts, files for spreadsheets.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { createServer } from "vite";

let server;
let latency;
let outlook;
let format;
let grow;

before(async () => {
  globalThis.document = { documentElement: { lang: "en" } };
  server = await createServer({ root: fileURLToPath(new URL("..", import.meta.url)), configFile: false, logLevel: "error", server: { middlewareMode: true, ws: false }, appType: "custom" });
  latency = await server.ssrLoadModule("/src/lib/latency.ts");
  outlook = await server.ssrLoadModule("/src/lib/outlook.ts");
  grow = await server.ssrLoadModule("/src/lib/grow.ts");
  format = await server.ssrLoadModule("/src/lib/format.ts");
});
after(() => server.close());

test("a quantile lies in its bucket, and above all of them at the last bound", () => {
  assert.equal(latency.quantile([1, 2, 4], [0, 10, 0, 0], 0.5), 1.5);
  assert.equal(latency.quantile([1, 2, 4], [0, 0, 0, 3], 0.5), 4);
  assert.equal(latency.quantile([1, 2, 4], [0, 0, 0, 0], 0.5), null);
});

test("between two looks only what is new counts, and after a restart everything", () => {
  const seen = (counts) => ({ counts, count: counts.reduce((sum, one) => sum + one, 0), seconds: 0 });
  assert.deepEqual(latency.between(seen([1, 2]), seen([4, 2])), [3, 0]);
  assert.deepEqual(latency.between(seen([9, 9]), seen([4, 2])), [4, 2]);
});

/** A metric of candidate b with its history, by what its proof has reached; `score` says which test it is. */
const metric = (name, role, value, score = { evidence: { log_e: 0, threshold: 3 } }) => {
  const none = { value: value.map(() => null), bound: value.map(() => null) };
  const reached = { value, bound: value.map(() => 3) };
  const key = role === "goal" ? "superior" : "not_worse";
  return {
    now: { name, arm: "b", role, superior: null, not_worse: null, worse: null, [key]: score },
    then: { name, arm: "b", superior: none, not_worse: none, worse: none, [key]: reached },
  };
};
const promotion = (...metrics) => {
  const series = { at_ms: Array.from({ length: 100 }, (_, at) => at * 1000), metrics: metrics.map(({ then }) => then) };
  return outlook.outlook(series, metrics.map(({ now }) => now), "b").promotion;
};
const rising = (slope) => Array.from({ length: 100 }, (_, at) => at * slope);

test("steady evidence is expected to reach its bound at its pace, the slowest proof last", () => {
  const expected = promotion(metric("fast", "goal", rising(0.02)), metric("slow", "guardrail", rising(0.01)));
  assert.equal(expected.metric, "slow");
  // From 0.99 to 3 at 0.01 a second.
  assert.ok(Math.abs(expected.ms - 201_000) < 1000, `${expected.ms}`);
});

test("a walk grows with the square root of the evidence", () => {
  const root = Array.from({ length: 100 }, (_, at) => Math.sqrt(at / 25));
  const expected = promotion(metric("m", "goal", root, { boundary: { z: 2, bound: 3 } }));
  // z² is at 3.96 of 9, and grows by 0.04 a second.
  assert.ok(Math.abs(expected.ms - 126_000) < 1000, `${expected.ms}`);
});

test("evidence that falls is not in sight, and a bound that was reached stays reached", () => {
  assert.equal(promotion(metric("m", "goal", rising(-0.01))).kind, "not in sight");
  assert.equal(promotion(metric("m", "goal", rising(0))).kind, "too early");
  const crossed = rising(0.05).map((value, at) => (at > 80 ? 1 : value));
  assert.equal(promotion(metric("m", "goal", crossed)).kind, "reached");
});

test("a history grows by what is new, and its newest moment is replaced", () => {
  const of = (run, at, low) => ({ run, at_ms: at, arms: [{ name: "a", share: at }], metrics: [{ name: "m", margin: run, low }] });
  const before = of(1, [10, 20, 25], [0, null, 2]);
  assert.equal(grow.known(before), 20);
  const after = grow.grown(before, of(1, [30, 35], [3, 4]), 20);
  assert.deepEqual(after, of(1, [10, 20, 30, 35], [0, null, 3, 4]));
  assert.deepEqual(grow.grown(before, of(2, [40], [5]), 20), of(2, [40], [5]), "another run is another history");
  assert.equal(grow.known(null), null);
});

test("a cell that a spreadsheet would run is text", () => {
  assert.equal(format.csv(["a,b"], [["=1+1", 2, null]]), "\"a,b\"\r\n'=1+1,2,\r\n");
});
