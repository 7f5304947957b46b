// An answer that is asked for again and again while its page is open and seen.
import { get } from "./ask";

export class Poll<T> {
  answer = $state.raw<T | null>(null);
  error = $state.raw<unknown>(null);
  readonly #path: string;

  constructor(path: string, periodMs: number) {
    this.#path = path;
    $effect(() => {
      void this.ask();
      const timer = setInterval(() => {
        if (document.visibilityState === "visible") void this.ask();
      }, periodMs);
      return () => clearInterval(timer);
    });
  }

  ask = async (): Promise<void> => {
    try {
      this.answer = await get<T>(this.#path);
      this.error = null;
    } catch (error) {
      this.error = error;
    }
  };
}
