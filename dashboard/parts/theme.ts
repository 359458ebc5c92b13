/** Light or dark: as the system says, unless the reader has chosen. */

export type Theme = "auto" | "light" | "dark";

const key = "global-proxy-theme";
const listeners = new Set<() => void>();

export function theme(): Theme {
  const kept = localStorage.getItem(key);
  return kept === "light" || kept === "dark" ? kept : "auto";
}

export function chooseTheme(chosen: Theme): void {
  if (chosen === "auto") localStorage.removeItem(key);
  else localStorage.setItem(key, chosen);
  applyTheme();
}

export function applyTheme(): void {
  const chosen = theme();
  if (chosen === "auto") delete document.documentElement.dataset["theme"];
  else document.documentElement.dataset["theme"] = chosen;
  for (const listener of listeners) listener();
}

/** Colours of canvases have to be drawn anew. @returns what ends it */
export function onTheme(listener: () => void): () => void {
  listeners.add(listener);
  const system = matchMedia("(prefers-color-scheme: dark)");
  system.addEventListener("change", listener);
  return () => {
    listeners.delete(listener);
    system.removeEventListener("change", listener);
  };
}
