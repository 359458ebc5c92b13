/**
 * The prefill queue with real processes: engines have no queue of their own, however many workers ask, and no request
 * is lost.
 */
import { setMaxListeners } from "node:events";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { adminOf, waitingRequests } from "../support/admin.ts";
import { eventually } from "../support/eventually.ts";
import { post } from "../support/http-client.ts";
import { pdYaml } from "../support/pd-yaml.ts";
import { workerCasesInTurn } from "../support/runtimes.ts";
import { type Engine, Stack } from "../support/stack.ts";

const path = "/v1/completions";

/** Too large to be sent to an engine together with another. */
const long = (name: string) => ({ prompt: `${name} `.repeat(2_000), max_tokens: 2 });

const cases = workerCasesInTurn("queued-prompts");

describe.each(cases)("on $runtime, workers: $workers", ({ runtime, workers }) => {
  const stack = new Stack(runtime, { ownProcesses: true });
  let prefills: Engine[];
  let decodes: Engine[];
  let url: string;
  let admin: string;

  beforeAll(async () => {
    // About 40 ms for each of these prompts.
    const speed = ["--prefill-tokens-per-second", "80000"];
    prefills = await stack.startEngines("prefill", 2, speed);
    decodes = await stack.startEngines("decode", 2);
    const textFor = (port: number) =>
      pdYaml({
        port,
        top: `workers: ${workers}\nadmin: { port: 0 }\nerrorLog: { level: notice }`,
        prefill: { engines: prefills, policy: "predictive" },
        decode: { engines: decodes },
      });
    const proxy = await stack.serve(textFor);
    url = proxy.url;
    admin = await adminOf(proxy);
  });
  afterAll(() => stack.end());

  const waiting = () => waitingRequests(admin, "prefill");

  /** The longest queue at a prefill engine until all requests have ended. */
  async function queueWhile(answers: Promise<unknown>): Promise<number> {
    let isDone = false;
    void answers.finally(() => {
      isDone = true;
    });
    let longest = 0;
    while (!isDone) {
      const states = await Promise.all(prefills.map((engine) => engine.state()));
      longest = Math.max(longest, ...states.map(({ waiting, running }) => waiting + running));
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    return longest;
  }

  test("30 prompts at once: each prefill engine has one at a time, and all get a response", async () => {
    const answers = Promise.all(
      Array.from({ length: 30 }, (_, i) => post(url + path, long(`${runtime}${i}`))),
    );
    const longest = await queueWhile(answers);
    expect((await answers).map(({ status }) => status)).toEqual(Array(30).fill(200));
    expect(longest).toBe(1);
    const states = await Promise.all(prefills.map((engine) => engine.state()));
    for (const { requestsSeen } of states) expect(requestsSeen).toBeGreaterThan(5);
  });

  test("prompts whose clients leave while they wait are not sent, and delay no other", async () => {
    const before = await Promise.all(prefills.map((engine) => engine.state()));
    // Stopped processes finish no prefill, so that all but the first wait until clients have left.
    for (const engine of prefills) engine.signal("SIGSTOP");
    const first = Array.from({ length: 4 }, (_, i) => post(url + path, long(`first${i}`)));
    const gone = new AbortController();
    // One for each request that leaves.
    setMaxListeners(0, gone.signal);
    const leaving = Array.from({ length: 12 }, (_, i) =>
      post(url + path, long(`leaving${i}`), { signal: gone.signal }),
    );
    const last = Array.from({ length: 4 }, (_, i) => post(url + path, long(`last${i}`)));
    await eventually(async () => (await waiting()) >= 18);
    gone.abort();
    await Promise.all(leaving);
    await eventually(async () => (await waiting()) <= 8);
    for (const engine of prefills) engine.signal("SIGCONT");
    const ends = await Promise.all([...first, ...last]);
    expect(ends.map(({ status }) => status)).toEqual(Array(8).fill(200));
    await eventually(async () => {
      const states = await Promise.all(prefills.map((engine) => engine.state()));
      return states.every(({ held, running, waiting }) => held + running + waiting === 0);
    });
    const after = await Promise.all(prefills.map((engine) => engine.state()));
    const seen = after.map(({ requestsSeen }, i) => requestsSeen - before[i]!.requestsSeen);
    // Eight stay; of those that leave at most one went to each engine before.
    expect(seen[0]! + seen[1]!).toBeLessThanOrEqual(10);
  });
});
