// Light, dark, or as the system has it; kept in this browser.

const KEY = "wald-theme";
const choices = ["system", "light", "dark"] as const;
type Choice = (typeof choices)[number];

function kept(): Choice {
  try {
    return choices.find((choice) => choice === localStorage.getItem(KEY)) ?? "system";
  } catch {
    return "system";
  }
}

class Theme {
  choice = $state<Choice>(kept());
  /** Changes whenever colours do, so that canvases are painted anew. */
  turns = $state(0);

  constructor() {
    this.#apply();
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => (this.turns += 1));
  }

  get mark(): string {
    return { system: "◐", light: "☀", dark: "☾" }[this.choice];
  }

  get word(): string {
    return { system: "as the system", light: "light", dark: "dark" }[this.choice];
  }

  turn(): void {
    this.choice = choices[(choices.indexOf(this.choice) + 1) % choices.length] ?? "system";
    try {
      localStorage.setItem(KEY, this.choice);
    } catch {
      // Without storage the choice lasts as long as the page.
    }
    this.#apply();
    this.turns += 1;
  }

  #apply(): void {
    if (this.choice === "system") delete document.documentElement.dataset["theme"];
    else document.documentElement.dataset["theme"] = this.choice;
  }
}

export const theme = new Theme();
export const colour = (name: string): string => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
