/**
 * KV events of real processes: what reaches an engine past the proxy, what it evicts and that it was restarted is known
 * at the next prompt; where that goes shows it. By what was sent there, it would go to the other engine each time. This
 * holds for prompts that wait in the queue and for those that are sent at once.
 */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { eventually } from "../support/eventually.ts";
import { post } from "../support/http-client.ts";
import { pdYaml, plainYaml } from "../support/pd-yaml.ts";
import { freePorts } from "../support/ports.ts";
import { bunAndOneNode, sharesPorts } from "../support/runtimes.ts";
import { type Engine, instant, Stack } from "../support/stack.ts";

const path = "/v1/completions";
/** Prompts that are queued or sent at once, with one worker or several, to prefill engines or to those that do both. */
const cases = bunAndOneNode("kv-events").flatMap((runtime) => {
  const queued = { runtime, workers: 1, policy: "predictive", whole: false, dials: false };
  const atOnce = { ...queued, policy: "cache_aware", whole: true };
  // Engines connect to the proxy.
  const dialling = { ...queued, dials: true };
  if (!sharesPorts(runtime)) return [queued, atOnce, dialling];
  const several = { ...atOnce, workers: 2, whole: false };
  return [queued, { ...queued, workers: 2 }, several, { ...dialling, workers: 2 }];
});

/** 2,000 tokens, of which an engine keeps 4,096. */
const prompt = (name: string) => `${name} `.padEnd(8, "-").repeat(1_000);

describe.each(cases)(
  "on $runtime, workers: $workers, by $policy, engines that do both: $whole, that dial out: $dials",
  ({ runtime, workers, policy, whole, dials }) => {
    const stack = new Stack(runtime, { ownProcesses: true });
    let prefills: Engine[];
    let proxy: Awaited<ReturnType<Stack["serve"]>>;

    beforeAll(async () => {
      const ports = await freePorts(7);
      const listening = ports[6]!;
      prefills = await Promise.all(
        [0, 1].map((i) => {
          const [port, events, replay] = ports.slice(3 * i) as [number, number, number];
          const to = ["--kv-events-to", `127.0.0.1:${listening}`];
          const dialling = [...to, "--kv-topic", `kv@127.0.0.1:${port}@simulated`];
          const kv = dials ? dialling : ["--kv-events", `${events}`];
          const replaying = ["--kv-replay", `${replay}`, "--kv-cache-tokens", "4096"];
          const switches = [...instant, ...kv, ...replaying];
          return stack.startEngine(whole ? "mixed" : "prefill", port, switches);
        }),
      );
      const decodes = whole ? [] : await stack.startEngines("decode", 1);
      const pool = {
        engines: prefills,
        policy,
        pool: `, kvEvents: {${dials ? `listen: "tcp://*:${listening}"` : ""}}, tokenize: true`,
        keys: (i: number) =>
          `, attributes: { kv_events_port: "${ports[3 * i + 1]}", kv_replay_port: "${ports[3 * i + 2]}" }`,
      };
      const top = `workers: ${workers}\nerrorLog: { level: info }`;
      proxy = await stack.serve((port) =>
        whole
          ? plainYaml({ port, top, pool })
          : pdYaml({ port, top, prefill: pool, decode: { engines: decodes } }),
      );
      await known(2, prefills);
    });
    afterAll(() => stack.end());

    /**
     * So often an engine's cache has become known exactly. The proxy hears of an engine that dials out when that
     * publishes, of which the first batches may be lost, as with any publisher of ZeroMQ.
     */
    let tries = 0;
    const known = (times: number, engines: readonly Engine[]) =>
      eventually(async () => {
        if (proxy.command.stderr.split("known exactly").length - 1 === times) return true;
        if (dials) for (const engine of engines) await computedAt(engine, prompt(`h${tries}`));
        tries += 1;
        return false;
      });

    /** Past the proxy. */
    async function computedAt(engine: Engine, text: string): Promise<void> {
      const { status } = await post(engine.url + path, { prompt: text, max_tokens: 1 });
      expect(status).toBe(200);
    }

    /** Which engine the proxy sends the prompt to. */
    async function placeOf(text: string): Promise<number> {
      const seen = () =>
        Promise.all(prefills.map(async (engine) => (await engine.state()).requestsSeen));
      const before = await seen();
      const response = await post(proxy.url + path, { prompt: text, max_tokens: 2 });
      expect(response.status).toBe(200);
      const after = await seen();
      return after.findIndex((count, i) => count > before[i]!);
    }

    test("a prompt goes where it is cached now, not where the proxy sent it before an eviction", async () => {
      const text = prompt(`evicted`);
      const first = await placeOf(text);
      expect(await placeOf(text)).toBe(first);
      const other = 1 - first;
      for (const name of ["x", "y", "z"]) await computedAt(prefills[first]!, prompt(name));
      await computedAt(prefills[other]!, text);
      expect(await placeOf(text)).toBe(other);
      expect(await placeOf(text)).toBe(other);
    });

    test("a restarted engine is known to have an empty cache", async () => {
      const text = prompt(`restarted`);
      const first = await placeOf(text);
      expect(await placeOf(text)).toBe(first);
      await prefills[first]!.kill();
      // What was sent to it before no longer counts: without a queue only the policies know, and the log says less.
      const ended = policy === "predictive" ? "nothing is known" : "known by what was sent";
      await eventually(() => proxy.command.stderr.split("known exactly").at(-1)!.includes(ended));
      await prefills[first]!.startAgain();
      await known(3, [prefills[first]!]);
      await computedAt(prefills[1 - first]!, text);
      expect(await placeOf(text)).toBe(1 - first);
    });

    test("a chat is tokenised as a chat, and goes where its beginning is", async () => {
      const chat = (...texts: string[]) => ({
        messages: texts.map((content) => ({ role: "user", content })),
        max_tokens: 1,
      });
      const text = prompt(`chat`);
      for (const engine of prefills) {
        for (const name of ["u", "v", "w"]) await computedAt(engine, prompt(name));
        await post(`${engine.url}/v1/chat/completions`, chat(text));
        const before = (await engine.state()).requestsSeen;
        const response = await post(`${proxy.url}/v1/chat/completions`, chat(text, "And then?"));
        expect(response.status).toBe(200);
        expect((await engine.state()).requestsSeen).toBe(before + 1);
        for (const name of ["u", "v", "w"]) await computedAt(engine, prompt(name));
      }
    });

    test("a client that leaves while its prompt is tokenised sends nothing; a slow tokeniser delays 1 s at most", async () => {
      for (const engine of prefills) await engine.setFault({ kind: "stall", path: "/tokenize" });
      const seen = async () => {
        const states = await Promise.all(prefills.map((engine) => engine.state()));
        return states.reduce((sum, { requestsSeen }) => sum + requestsSeen, 0);
      };
      /** How many prefills there are for two prompts, of which one client leaves; -1 = it could not leave in time. */
      const prefillsOf = async (name: string) => {
        const before = await seen();
        const gone = new AbortController();
        const leaving = post(proxy.url + path, { prompt: name }, { signal: gone.signal });
        await eventually(async () => {
          const lists = await Promise.all(prefills.map((engine) => engine.requests()));
          return lists.flat().some(({ body }) => body.includes(`"${name}"`));
        });
        gone.abort();
        if ((await leaving).status !== 0) return -1;
        const response = await post(proxy.url + path, { prompt: "stays", max_tokens: 2 });
        expect(response.status).toBe(200);
        return (await seen()) - before;
      };
      // On a busy machine the proxy may have waited its 1 s before it learns that the client has left.
      let attempt = 0;
      await eventually(async () => (await prefillsOf(`leaves ${attempt++}`)) === 1);
      for (const engine of prefills) await engine.clearFaults();
    });

    test("prompts that engines do not tokenise are served all the same", async () => {
      for (const engine of prefills)
        await engine.setFault({ kind: "status", code: 500, path: "/tokenize" });
      const answers = await Promise.all(
        Array.from({ length: 8 }, (_, i) =>
          post(proxy.url + path, { prompt: `short ${i}`, max_tokens: 2 }),
        ),
      );
      expect(answers.map(({ status }) => status)).toEqual(Array(8).fill(200));
      const ids = await post(proxy.url + path, { prompt: [1, 2, 3], max_tokens: 2 });
      expect(ids.status).toBe(200);
    });
  },
);
