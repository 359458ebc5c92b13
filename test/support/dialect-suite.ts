/**
 * What each dialect must survive with real processes: many streams, clients that leave, engines that die. One call per
 * fleet.
 */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { EngineState } from "../../src/simulated-engine/core/state.ts";
import { instantTiming } from "../../src/simulated-engine/options.ts";
import { type RunningEngine, startEngine } from "../../src/simulated-engine/server.ts";
import { eventually } from "./eventually.ts";
import { type Fleet, type FleetRequest, type RunningFleet, startFleet } from "./fleet.ts";
import { type GiveUp, runWave, type WaveCase } from "./fleet-wave.ts";
import { post } from "./http-client.ts";
import { bunAndOneNode, isEverything, oneRuntime } from "./runtimes.ts";
import { endLeases, Stack } from "./stack.ts";
import { scaled } from "./times.ts";

const streams = 200;
const wavesMax = 6;

/**
 * Of ten clients in a row four give up: in the queue for prefill, just before their first token, and two after some
 * tokens. Each further wave is prepared for a machine that is slower.
 */
function giveUp(index: number, wave: number): GiveUp {
  const turn = Math.floor(index / 10);
  switch (index % 10) {
    case 3:
      return { afterMs: scaled(turn * 12 * 3 ** (wave - 1)) };
    case 5:
      // Responses begin about in the order of the requests, so it is among those that decode engines are waiting for.
      return { afterBegun: Math.max(0, index - 1 - 2 * wave * (turn % 10)) };
    case 7:
    case 9:
      return { afterParts: 1 + (turn % 8) };
    default:
      return undefined;
  }
}

/**
 * `npm test` runs these on Bun and one Node, with killed engines; each other one on one runtime. `npm run test:all`
 * runs everything.
 */
const wholeFleets: ReadonlySet<string> = new Set(["omni", "vllm-nixl", "sglang"]);

export function testFleet(fleet: Fleet): void {
  const isWhole = isEverything || wholeFleets.has(fleet.name);
  const tested = isWhole ? bunAndOneNode(fleet.name) : oneRuntime(fleet.name);
  for (const runtime of tested) {
    describe(`${fleet.name} on ${runtime}`, () => {
      let stack: Stack;
      let running: RunningFleet;
      let cases: CaseBook;

      beforeAll(async () => {
        stack = new Stack(runtime, { ownProcesses: isWhole });
        [running, cases] = await Promise.all([startFleet(stack, fleet), CaseBook.open(fleet)]);
        const [one] = await cases.make(1);
        await eventually(async () => (await ask(one!)).status === 200);
      });
      afterAll(async () => {
        await cases?.close();
        await stack?.end();
      });

      const ask = ({ path, body }: WaveCase) => post(running.url + path, body);

      test("200 streams, clients leave in each phase: no response is wrong, nothing is left", async () => {
        const phases = fleet.abortPhases ?? ["prefill", "before-first-token", "mid-decode"];
        let before = await endLeases(running.engines);
        for (let wave = 1; ; wave += 1) {
          const tally = await runWave({
            url: running.url,
            fleet,
            cases: await cases.make(streams),
            giveUp: (index) => giveUp(index, wave),
          });
          expect(tally).toMatchObject({ wrong: [], hung: 0, cut: 0, refused: 0 });
          expect(tally.right).toBeGreaterThanOrEqual(0.6 * streams);
          const after = await endLeases(running.engines);
          expectClean(after, fleet.recomputedAfterAborts ?? []);
          const handed = sum(after, ({ remotePrefills }) => remotePrefills);
          const earlier = sum(before, ({ remotePrefills }) => remotePrefills);
          expect(handed - earlier).toBeGreaterThanOrEqual((fleet.handsOver ?? 1) * tally.right);
          // On a machine that is busy with other things, no client may have left in some phase.
          const struck = abortsByPhase(after);
          const missed = phases.filter((phase) => struck[phase] === 0);
          if (missed.length === 0) break;
          expect(wave, `no abort struck in: ${missed.join()}`).toBeLessThan(wavesMax);
          before = after;
        }
      });

      test.runIf(isWhole)(
        "one engine of each role dies under 200 streams: no false 200, no hang, nothing is left",
        async () => {
          const victims = [...running.byRole.values()].map(([first]) => first!);
          const survivors = running.engines.filter((engine) => !victims.includes(engine));
          let kills: Promise<unknown> | undefined;
          const tally = await runWave({
            url: running.url,
            fleet,
            cases: await cases.make(streams),
            onEnd: (ended) => {
              if (ended >= 40) kills ??= Promise.all(victims.map((victim) => victim.kill()));
            },
          });
          await kills;
          expect(tally).toMatchObject({ wrong: [], hung: 0, aborted: 0 });
          if (fleet.killed === "retried") expect(tally.refused).toBe(0);
          // The other engines went on serving.
          expect(tally.right).toBeGreaterThanOrEqual(streams / 3);
          expectClean(await endLeases(survivors), [
            ...(fleet.recomputedAfterAborts ?? []),
            ...(fleet.recomputedAfterKills ?? []),
          ]);

          // Once restarted, they get requests again, and KV is transferred.
          await Promise.all(victims.map((victim) => victim.startAgain()));
          await eventually(async () => {
            const { status } = await ask((await cases.make(1))[0]!);
            expect(status === 200 || status >= 500).toBe(true);
            const states = await Promise.all(victims.map((victim) => victim.state()));
            return status === 200 && states.every(({ requestsSeen }) => requestsSeen > 0);
          });
          const again = await runWave({ url: running.url, fleet, cases: await cases.make(16) });
          expect(again).toMatchObject({ wrong: [], hung: 0, right: 16 });
        },
      );
    });
  }
}

/** Requests with the responses of an engine that prefills and decodes itself. */
class CaseBook {
  readonly #requests: readonly FleetRequest[];
  readonly #oracle: RunningEngine;
  readonly #responses = new Map<string, string>();
  #made = 0;

  private constructor(requests: readonly FleetRequest[], oracle: RunningEngine) {
    this.#requests = requests;
    this.#oracle = oracle;
  }

  static async open({ requests = usualRequests }: Fleet): Promise<CaseBook> {
    return new CaseBook(requests, await startEngine({ role: "mixed", ...instantTiming }));
  }

  make(count: number): Promise<WaveCase[]> {
    return Promise.all(Array.from({ length: count }, () => this.#next()));
  }

  close(): Promise<void> {
    return this.#oracle.close();
  }

  async #next(): Promise<WaveCase> {
    const number = this.#made++;
    const { path, body: template } = this.#requests[number % this.#requests.length]!;
    const body = JSON.stringify(template).replaceAll("%n", `${number}`);
    const known = this.#responses.get(path + body);
    if (known !== undefined) return { path, body, expected: known };
    const { status, body: expected } = await post(this.#oracle.url + path, body);
    if (status !== 200) throw new Error(`the engine itself rejects ${path}: ${expected}`);
    this.#responses.set(path + body, expected);
    return { path, body, expected };
  }
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
  const encodes = states.filter(({ role }) => role === "encode");
  const others = states.filter(({ role }) => role !== "prefill" && role !== "encode");
  return {
    encode: sum(encodes, ({ aborted }) => aborted.waiting + aborted.prefilling),
    prefill: sum(prefills, ({ aborted }) => aborted.waiting + aborted.prefilling),
    "before-first-token": sum(others, ({ aborted }) => aborted.waiting + aborted.prefilling),
    "mid-decode": sum(others, ({ aborted }) => aborted.streaming),
  };
}

function sum(states: readonly EngineState[], read: (state: EngineState) => number): number {
  return states.reduce((total, state) => total + read(state), 0);
}

/** Prompts of 45 to 360 tokens, no two the same, and responses of 12 to 40. */
export const usualRequests: readonly FleetRequest[] = Array.from({ length: 8 }, (_, index) => {
  const text = `request %n of a fleet `.repeat(8 * (1 + index));
  const common = { max_tokens: 40 - 4 * index, stream: index !== 6 };
  return index % 2 === 0
    ? { path: "/v1/completions", body: { prompt: text, ...common } }
    : {
        path: "/v1/chat/completions",
        body: { messages: [{ role: "user", content: text }], ...common },
      };
});
