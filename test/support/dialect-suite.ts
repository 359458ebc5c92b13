/** What each dialect has to stand with real processes: many streams, clients that go, engines that die. One call per fleet. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { EngineState } from "../../src/engine/core.ts";
import { instantTiming } from "../../src/engine/options.ts";
import { startEngine } from "../../src/engine/server.ts";
import { eventually } from "./eventually.ts";
import { type Fleet, type FleetRequest, type RunningFleet, startFleet } from "./fleet.ts";
import { type GiveUp, runWave } from "./fleet-wave.ts";
import { post } from "./http-client.ts";
import { type Engine, runtimes, Stack } from "./stack.ts";

const streams = 200;
const wavesMax = 3;

/** Of ten clients in a row four give up: in the queue for prefill, just before their first token, and two after some tokens. */
function giveUp(index: number): GiveUp {
  const turn = Math.floor(index / 10);
  switch (index % 10) {
    case 3:
      return { afterMs: turn * 12 };
    case 5:
      // Answers begin about in the order of the requests, so it is among those that decode engines are waiting for.
      return { afterBegun: Math.max(0, index - 1 - 2 * (turn % 10)) };
    case 7:
    case 9:
      return { afterParts: 1 + (turn % 8) };
    default:
      return undefined;
  }
}

export function testFleet(fleet: Fleet): void {
  for (const runtime of ["node", "bun"] as const) {
    describe.skipIf(!runtimes.includes(runtime))(`${fleet.name} on ${runtime}`, () => {
      let stack: Stack;
      let running: RunningFleet;
      let expected: ReadonlyMap<FleetRequest, string>;

      beforeAll(async () => {
        stack = new Stack(runtime);
        [running, expected] = await Promise.all([startFleet(stack, fleet), expectedAnswers(fleet)]);
        const [first] = expected;
        await eventually(async () => (await ask(first![0])).status === 200);
      });
      afterAll(() => stack?.end());

      const ask = ({ path, body }: FleetRequest) => post(running.url + path, body);

      test("200 streams, of which some are given up in each phase: none is wrong, nothing is left", async () => {
        const phases = fleet.abortPhases ?? ["prefill", "before-first-token", "mid-decode"];
        let before = await atRest(running.engines);
        for (let wave = 1; ; wave += 1) {
          const { url } = running;
          const tally = await runWave({ url, fleet, expected, count: streams, giveUp });
          expect(tally).toMatchObject({ wrong: [], hung: 0, cut: 0, refused: 0 });
          expect(tally.right).toBeGreaterThanOrEqual(0.6 * streams);
          const after = await atRest(running.engines);
          expectClean(after, fleet.recomputedAfterAborts ?? []);
          if (fleet.handsOver !== false) {
            const handed = sum(after, ({ remotePrefills }) => remotePrefills);
            const earlier = sum(before, ({ remotePrefills }) => remotePrefills);
            expect(handed - earlier).toBeGreaterThanOrEqual(tally.right);
          }
          // On a machine that is busy with other things, a phase may be missed by all.
          const struck = abortsByPhase(after);
          const missed = phases.filter((phase) => struck[phase] === 0);
          if (missed.length === 0) break;
          expect(wave, `no abort struck in: ${missed.join()}`).toBeLessThan(wavesMax);
          before = after;
        }
      });

      test("one engine of each role dies under 200 streams: no false 200, no hang, nothing is left", async () => {
        const victims = [...running.byRole.values()].map(([first]) => first!);
        const survivors = running.engines.filter((engine) => !victims.includes(engine));
        let kills: Promise<unknown> | undefined;
        const tally = await runWave({
          url: running.url,
          fleet,
          expected,
          count: streams,
          onEnd: (ended) => {
            if (ended >= 40) kills ??= Promise.all(victims.map((victim) => victim.kill()));
          },
        });
        await kills;
        expect(tally).toMatchObject({ wrong: [], hung: 0, aborted: 0 });
        if (fleet.killed === "retried") expect(tally.refused).toBe(0);
        // The other engines have served on.
        expect(tally.right).toBeGreaterThanOrEqual(streams / 3);
        expectClean(await atRest(survivors), [
          ...(fleet.recomputedAfterAborts ?? []),
          ...(fleet.recomputedAfterKills ?? []),
        ]);

        // A new life gets requests again, and hands over.
        await Promise.all(victims.map((victim) => victim.startAgain()));
        const [first] = expected;
        await eventually(async () => {
          const answer = await ask(first![0]);
          expect(answer.status === 200 || answer.status >= 500).toBe(true);
          const states = await Promise.all(victims.map((victim) => victim.state()));
          return answer.status === 200 && states.every(({ requestsSeen }) => requestsSeen > 0);
        });
        const again = await runWave({ url: running.url, fleet, expected, count: 16 });
        expect(again).toMatchObject({ wrong: [], hung: 0, right: 16 });
      });
    });
  }
}

/** What an engine that does it all answers. */
async function expectedAnswers({
  requests = usualRequests,
}: Fleet): Promise<ReadonlyMap<FleetRequest, string>> {
  const oracle = await startEngine({ role: "mixed", ...instantTiming });
  const answers = new Map<FleetRequest, string>();
  for (const request of requests) {
    const { status, body } = await post(oracle.url + request.path, request.body);
    if (status !== 200) throw new Error(`an engine itself refuses ${request.path}: ${body}`);
    answers.set(request, body);
  }
  await oracle.close();
  return answers;
}

/** Resolves when no engine has anything to do, holds KV, or waits for another. */
async function atRest(engines: readonly Engine[]): Promise<EngineState[]> {
  let states: EngineState[] = [];
  const busy = (state: EngineState) =>
    state.running + state.waiting + state.held + state.rendezvousWaiting;
  try {
    await eventually(async () => {
      states = await Promise.all(engines.map((engine) => engine.state()));
      return states.every((state) => busy(state) === 0);
    });
  } catch (error) {
    const left = states.map(({ role, running, waiting, held, heldIds, rendezvousNames }) => {
      const names = { heldIds: heldIds.slice(0, 3), waitsFor: rendezvousNames.slice(0, 3) };
      return { role, running, waiting, held, ...names };
    });
    throw new Error(`left behind: ${JSON.stringify(left)}`, { cause: error });
  }
  return states;
}

function expectClean(states: readonly EngineState[], reasons: readonly string[]): void {
  expect(states.flatMap(({ violations }) => violations)).toEqual([]);
  const recomputed = states.flatMap((state) => Object.entries(state.recomputed));
  expect(recomputed.filter(([reason, count]) => count > 0 && !reasons.includes(reason))).toEqual(
    [],
  );
}

function abortsByPhase(states: readonly EngineState[]) {
  const prefills = states.filter(({ role }) => role === "prefill");
  const others = states.filter(({ role }) => role !== "prefill" && role !== "encode");
  return {
    prefill: sum(prefills, ({ aborted }) => aborted.waiting + aborted.prefilling),
    "before-first-token": sum(others, ({ aborted }) => aborted.waiting + aborted.prefilling),
    "mid-decode": sum(others, ({ aborted }) => aborted.streaming),
  };
}

function sum(states: readonly EngineState[], read: (state: EngineState) => number): number {
  return states.reduce((total, state) => total + read(state), 0);
}

/** Prompts of 40 to 400 tokens, answers of 10 to 40. */
const usualRequests: readonly FleetRequest[] = Array.from({ length: 8 }, (_, index) => {
  const text = `request ${index} of a fleet `.repeat(8 * (1 + index));
  const common = { max_tokens: 40 - 4 * index, stream: index !== 6 };
  return index % 2 === 0
    ? { path: "/v1/completions", body: { prompt: text, ...common } }
    : {
        path: "/v1/chat/completions",
        body: { messages: [{ role: "user", content: text }], ...common },
      };
});
