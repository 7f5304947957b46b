// Numbers, times and words as people read them, in their own language's way.

const locale = document.documentElement.lang || "en";
const whole = new Intl.NumberFormat(locale, { maximumFractionDigits: 0 });
const compact = new Intl.NumberFormat(locale, { notation: "compact", maximumFractionDigits: 1 });
const clock = new Intl.DateTimeFormat(locale, { dateStyle: "medium", timeStyle: "medium" });
const hours = new Intl.DateTimeFormat(locale, { hour: "2-digit", minute: "2-digit", second: "2-digit", hour12: false });

const days = new Intl.DateTimeFormat(locale, { month: "short", day: "numeric", hour: "2-digit", minute: "2-digit", hour12: false });

export const NONE = "–";
export type Maybe = number | null | undefined;
const isKnown = (value: Maybe): value is number => value !== null && value !== undefined && Number.isFinite(value);

export const count = (value: Maybe): string => (isKnown(value) ? whole.format(value) : NONE);
export const short = (value: Maybe): string => (isKnown(value) ? compact.format(value) : NONE);

/** A number with as many digits as say something. */
export function number(value: Maybe, digits = 3): string {
  if (!isKnown(value)) return NONE;
  if (value === 0) return "0";
  const size = Math.abs(value);
  if (size >= 1e6 || size < 1e-4) return value.toExponential(Math.max(0, digits - 1)).replace("-", "−").replace("e+", "e").replace("e-", "e−");
  return new Intl.NumberFormat(locale, { maximumSignificantDigits: digits }).format(value).replace("-", "−");
}

export const percent = (share: Maybe, digits = share && share < 0.1 ? 1 : 0): string =>
  isKnown(share) ? `${(100 * share).toFixed(digits)} %` : NONE;

export function seconds(value: Maybe): string {
  if (!isKnown(value)) return NONE;
  if (value === 0) return "0 s";
  if (value < 1e-3) return `${number(value * 1e6, 3)} µs`;
  if (value < 1) return `${number(value * 1e3, 3)} ms`;
  return `${number(value, 3)} s`;
}

/** A value of a metric in its unit. */
export function inUnit(value: Maybe, unit: string | undefined, digits = 3): string {
  if (!isKnown(value)) return NONE;
  if (unit === "seconds") return value < 0 ? `−${seconds(-value)}` : seconds(value);
  if (unit === "share") return `${number(100 * value, digits)} %`;
  if (unit === "bytes") return `${short(value)}B`;
  return number(value, digits);
}

export function duration(ms: Maybe): string {
  if (!isKnown(ms)) return NONE;
  const total = Math.max(0, Math.round(ms / 1000));
  const units: [number, string][] = [[86_400, "d"], [3600, "h"], [60, "min"], [1, "s"]];
  let left = total;
  const told: string[] = [];
  for (const [size, name] of units) {
    const many = Math.floor(left / size);
    left -= many * size;
    if (many > 0 && told.length < 2) told.push(`${many} ${name}`);
    else if (told.length > 0) break;
  }
  return told.length > 0 ? told.join(" ") : "0 s";
}

export const moment = (time: number | string | null | undefined): string =>
  time === null || time === undefined ? NONE : clock.format(new Date(time));
export const ofDay = (time: number | string): string => hours.format(new Date(time));

export const dayAndHour = (time: number): string => days.format(new Date(time));

export const scaleWords: Record<string, string> = {
  odds_ratio: "odds ratio, candidate by control",
  ratio: "ratio of geometric means, candidate by control",
  difference: "difference, candidate − control",
  rate_ratio: "ratio of rates, candidate by control",
  quantile_ratio: "ratio of quantiles, candidate by control",
  exceedance_difference: "difference of exceedance, candidate − control",
  none: "whole distribution; no one effect",
};

export const stateWords: Record<string, { word: string; kind: "" | "good" | "bad" | "wait"; mark: string }> = {
  draft: { word: "not started", kind: "", mark: "○" },
  shadow: { word: "shadowing", kind: "wait", mark: "◐" },
  running: { word: "running", kind: "wait", mark: "▶" },
  paused: { word: "paused", kind: "", mark: "❚❚" },
  promoted: { word: "promoted", kind: "good", mark: "✓" },
  rolled_back: { word: "rolled back", kind: "bad", mark: "↩" },
  futile: { word: "no winner", kind: "", mark: "=" },
  stopped: { word: "stopped", kind: "", mark: "■" },
};

/** What a spreadsheet reads. Text that it would take for a formula is quoted with an apostrophe. */
export function csv(head: string[], rows: (string | number | null)[][]): string {
  const cell = (value: string | number | null): string => {
    if (value === null || (typeof value === "number" && !Number.isFinite(value))) return "";
    if (typeof value === "number") return String(value);
    const text = /^[=+\-@\t\r]/.test(value) ? `'${value}` : value;
    return /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  };
  return [head, ...rows].map((row) => row.map(cell).join(",")).join("\r\n") + "\r\n";
}

export function download(name: string, text: string): void {
  const url = URL.createObjectURL(new Blob([text], { type: "text/csv;charset=utf-8" }));
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}
