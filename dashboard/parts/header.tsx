/** What this is, whether it is live, and how it looks. */
import { useState } from "preact/hooks";
import type { PageState } from "../model/state.ts";
import { ageText } from "../model/words.ts";
import { chooseTheme, type Theme, theme } from "./theme.ts";

interface HeaderProps {
  readonly state: PageState;
  readonly isPaused: boolean;
  readonly togglePause: () => void;
  readonly nowMs: number;
}

const connections = {
  connecting: "connecting",
  live: "live",
  lost: "no connection",
  token: "",
} as const;

export function Header({ state, isPaused, togglePause, nowMs }: HeaderProps) {
  const { fleet, connection } = state;
  const isLive = connection === "live" && !isPaused;
  return (
    <header class="top">
      <span class="brand">
        <img src="/dashboard/icon.svg" alt="" width="22" height="22" />
        Global Proxy
      </span>
      {fleet && (
        <span class="about">
          {location.host} · {fleet.version} on {fleet.runtime} · up{" "}
          {ageText(nowMs - fleet.startedMs)}
        </span>
      )}
      <span class="space" />
      <button
        type="button"
        class={`live ${isLive ? "on" : connection === "lost" ? "lost" : ""}`}
        aria-pressed={isPaused}
        onClick={togglePause}
        title={isPaused ? "Go on" : "Hold the page still"}
      >
        <i aria-hidden="true" />
        {isPaused ? "paused" : connections[connection]}
      </button>
      <ThemeChoice />
    </header>
  );
}

const themes: readonly Theme[] = ["auto", "light", "dark"];

function ThemeChoice() {
  const [chosen, setChosen] = useState(theme());
  const next = themes[(themes.indexOf(chosen) + 1) % themes.length]!;
  return (
    <button
      type="button"
      class="plain"
      onClick={() => {
        chooseTheme(next);
        setChosen(next);
      }}
      title={`Change to ${next}`}
    >
      <span aria-hidden="true">◑</span> {chosen}
    </button>
  );
}
