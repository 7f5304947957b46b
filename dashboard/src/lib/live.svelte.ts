// What changes while one looks: how all experiments stand, who is asking, and whether Wald is there at all.
import { get, type Me, type Row, type Standing } from "./ask";


class Live {
  rows = $state.raw<Row[] | null>(null);
  atMs = $state(0);
  connection = $state<"connecting" | "live" | "lost">("connecting");
  me = $state.raw<Me | null>(null);
  /** Counts what has come, so that pages know when to ask for more. */
  beats = $state(0);

  start(): void {
    const stream = new EventSource("/api/v1/live");
    stream.addEventListener("open", () => {
      this.connection = "live";
      void this.#whoami();
    });
    stream.addEventListener("standing", (event) => {
      const standing = JSON.parse((event as MessageEvent<string>).data) as Standing;
      this.rows = standing.experiments;
      this.atMs = standing.at_ms;
      this.beats += 1;
    });
    stream.addEventListener("error", () => {
      this.connection = "lost";
      // A refusal or a restart ends the stream for good as far as the browser is concerned.
      if (stream.readyState === EventSource.CLOSED) setTimeout(() => this.start(), 2000);
    });
  }

  async #whoami(): Promise<void> {
    try {
      this.me = await get<Me>("me");
    } catch {
      // The stream says whether Wald is there; without an answer no action is offered.
    }
  }

  may(role: "operator" | "approver"): boolean {
    return this.me?.role === "approver" || (role === "operator" && this.me?.role === "operator");
  }
}

export const live = new Live();
