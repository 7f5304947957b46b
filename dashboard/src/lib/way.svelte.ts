// Where one is: the part of the address after `#/`, so that Wald has one page to serve and links can be passed on.

const parts = (): string[] => location.hash.replace(/^#\/?/, "").split("/").map(decodeURIComponent).filter(Boolean);

class Way {
  parts = $state.raw<string[]>(parts());

  constructor() {
    addEventListener("hashchange", () => {
      this.parts = parts();
    });
  }
}

export const way = new Way();
export const to = (...names: string[]): string => `#/${names.map(encodeURIComponent).join("/")}`;
