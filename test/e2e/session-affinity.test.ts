/**
 * Requests of one session go to one prefill engine, whichever worker has them; what names the session is the header,
 * then the body.
 */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { HashRing } from "../../src/policies/shared/hash-ring.ts";
import { poolOf } from "../policies/pool-view.ts";
import { eventually } from "../support/eventually.ts";
import { post } from "../support/http-client.ts";
import { pdYaml } from "../support/pd-yaml.ts";
import { workerCasesInTurn } from "../support/runtimes.ts";
import { sharedEngines } from "../support/shared-engines.ts";
import { type Engine, Stack } from "../support/stack.ts";

const path = "/v1/completions";
const sessions = 12;
const turns = 4;

const { prefills, decodes } = sharedEngines(4, 2, { ownProcesses: true });

/** Ways to name a session. Each comes with what must not count beside it. */
const ways: readonly (readonly [string, (name: string, turn: number) => Naming])[] = [
  ["the user", (name) => ({ body: { user: name }, headers: {} })],
  [
    "the cache key, whoever the user is",
    (name, turn) => ({ body: { prompt_cache_key: name, user: `user ${turn}` }, headers: {} }),
  ],
  [
    "a header, whatever the body says",
    (name, turn) => ({
      body: { prompt_cache_key: `key ${turn}`, user: `user ${turn}` },
      headers: { "x-session-id": name },
    }),
  ],
];

function ringOf(engines: readonly Engine[]): HashRing {
  const addresses = engines.map(({ port }) => `127.0.0.1:${port}`);
  return new HashRing(
    poolOf(
      engines.map(() => 1),
      addresses,
    ),
  );
}

interface Naming {
  readonly body: object;
  readonly headers: Record<string, string>;
}

const cases = workerCasesInTurn("session-affinity");

describe.each(cases)("on $runtime, workers: $workers", ({ runtime, workers }) => {
  const stack = new Stack(runtime);
  let url: string;
  beforeAll(async () => {
    const textFor = (port: number) =>
      pdYaml({
        port,
        top: `workers: ${workers}`,
        prefill: { engines: prefills, policy: "session_affinity" },
        decode: { engines: decodes },
      });
    ({ url } = await stack.serve(textFor));
  });
  afterAll(() => stack.end());

  const seenBy = async () =>
    Promise.all(prefills.map(async (engine) => (await engine.state()).requestsSeen));

  /** The engine that got a turn. Each turn is a connection of its own, which any worker may have. */
  async function engineOf({ body, headers }: Naming, prompt: string): Promise<number> {
    const before = await seenBy();
    const response = await post(url + path, { prompt, max_tokens: 1, ...body }, { headers });
    expect(response).toMatchObject({ status: 200, end: "whole" });
    const gained = (await seenBy()).map((count, i) => count - before[i]!);
    expect(gained.toSorted()).toEqual([0, 0, 0, 1]);
    return gained.indexOf(1);
  }

  test.each(ways)(
    "%s names the session: it stays, and sessions are spread",
    async (_way, naming) => {
      const homes: number[] = [];
      for (let session = 0; session < sessions; session += 1) {
        const name = `session ${session}`;
        const engines: number[] = [];
        for (let turn = 0; turn < turns; turn += 1) {
          // The prompt grows, as in a chat: its length must not count.
          engines.push(await engineOf(naming(name, turn), `${name} `.repeat(1 + 100 * turn)));
        }
        expect(new Set(engines).size, `${name}: ${engines}`).toBe(1);
        homes.push(engines[0]!);
      }
      // Where the ring has them: how many engines that are depends on the ports of this run.
      const ring = ringOf(prefills);
      const places = homes.map((_, session) => ring.engine(ring.point(`session ${session}`)));
      expect(homes).toEqual(places);
      expect(new Set(homes).size).toBeGreaterThanOrEqual(2);
    },
  );

  test("without a name, requests go where the load is least: to several engines", async () => {
    const engines = new Set<number>();
    for (let turn = 0; turn < 8; turn += 1) {
      engines.add(await engineOf({ body: {}, headers: {} }, "the same prompt"));
    }
    expect(engines.size).toBeGreaterThan(1);
  });

  test("a session moves while its engine has too much to do, and returns after that", async () => {
    const naming = { body: { user: "a busy session" }, headers: {} };
    const home = await engineOf(naming, "first");
    const engine = prefills[home] as Engine;
    engine.signal("SIGSTOP");
    // More than workers, so that some worker knows of an earlier one.
    const waiting = Array.from({ length: 6 }, () =>
      post(url + path, { prompt: "stuck", max_tokens: 1, ...naming.body }),
    );
    // Some go to the stopped engine; what is more than its share of the load is served elsewhere.
    await Promise.race(waiting);
    engine.signal("SIGCONT");
    for (const response of await Promise.all(waiting)) expect(response.status).toBe(200);
    await eventually(async () => (await engineOf(naming, "later")) === home);
  });
});
