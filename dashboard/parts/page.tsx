/** The whole page, from what is wrong to what is configured. */
import type { PageState } from "../model/state.ts";
import { Changes } from "./changes.tsx";
import { Charts } from "./charts.tsx";
import { ConfigViewer } from "./config.tsx";
import { FleetPicture } from "./fleet-picture.tsx";
import { Header } from "./header.tsx";
import { Outcomes } from "./outcomes.tsx";
import { Requests } from "./requests.tsx";
import { Shadows } from "./shadows.tsx";
import { SignIn } from "./sign-in.tsx";
import { VerdictLine } from "./verdict.tsx";

export interface PageProps {
  readonly state: PageState;
  readonly isPaused: boolean;
  signIn(token: string): void;
  togglePause(): void;
}

export function Page({ state, isPaused, signIn, togglePause }: PageProps) {
  if (state.connection === "token") return <SignIn signIn={signIn} />;
  const nowMs = Date.now() + state.shiftMs;
  return (
    <>
      <a class="skip" href="#requests">
        To the requests
      </a>
      <Header state={state} isPaused={isPaused} togglePause={togglePause} nowMs={nowMs} />
      <main>
        <VerdictLine state={state} nowMs={nowMs} />
        <FleetPicture state={state} nowMs={nowMs} />
        <Charts state={state} />
        <Requests state={state} nowMs={nowMs} />
        <div class="columns">
          <Outcomes state={state} nowMs={nowMs} />
          <Changes state={state} nowMs={nowMs} />
        </div>
        <Shadows state={state} />
        <ConfigViewer />
      </main>
    </>
  );
}
