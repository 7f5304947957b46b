// Questions to the admin API, with the types of its OpenAPI document.
import type { components } from "../api";

type Schemas = components["schemas"];
export type Experiment = Schemas["Experiment"];
export type Metric = Schemas["Metric"];
export type Score = Schemas["Score"];
export type Series = Schemas["Series"];
export type MetricSeries = Schemas["MetricSeries"];
export type TestSeries = Schemas["TestSeries"];
export type Standing = Schemas["Standing"];
export type Row = Schemas["Row"];
export type Me = Schemas["Me"];
export type Test = Schemas["Test"];
export type Traffic = Schemas["Traffic"];
export type Seen = Schemas["Seen"];
export type Upstreams = Schemas["Upstreams"];
export type Shadows = Schemas["Shadows"];
export type Shadow = Schemas["Shadow"];
export type Certificates = Schemas["Certificates"];
export type Policy = Schemas["Policy"];
export type Explanation = Schemas["Explanation"];
export type AuditRecord = Schemas["AuditRecord"];
export type Verified = Schemas["Verified"];

/** What Wald said instead of what was asked for. */
export class Refused extends Error {
  readonly status: number;
  readonly code: string;
  constructor(status: number, code: string, message: string) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

async function refusal(answer: Response): Promise<Refused> {
  try {
    const problem: unknown = await answer.json();
    if (problem !== null && typeof problem === "object") {
      const { title, detail, code } = problem as Record<string, unknown>;
      const words = [title, detail].filter((part) => typeof part === "string" && part !== "");
      return new Refused(answer.status, String(code ?? ""), words.join(": "));
    }
  } catch {
    // No problem document: the status has to do.
  }
  return new Refused(answer.status, "", `Wald answered with status ${answer.status}`);
}

async function ask(path: string, init?: RequestInit): Promise<Response> {
  const answer = await fetch(`/api/v1/${path}`, init);
  if (!answer.ok) throw await refusal(answer);
  return answer;
}

export async function get<T>(path: string): Promise<T> {
  return (await (await ask(path)).json()) as T;
}

export async function post<T>(path: string, body: unknown): Promise<T> {
  const headers = { "content-type": "application/json" };
  return (await (await ask(path, { method: "POST", headers, body: JSON.stringify(body) })).json()) as T;
}

export async function audit(): Promise<AuditRecord[]> {
  const text = await (await ask("audit")).text();
  return text.split("\n").filter(Boolean).map((line) => JSON.parse(line) as AuditRecord);
}

/** What went wrong, for people. */
export const told = (error: unknown): string =>
  error instanceof Refused ? error.message : error instanceof TypeError ? "Wald cannot be reached" : String(error);
