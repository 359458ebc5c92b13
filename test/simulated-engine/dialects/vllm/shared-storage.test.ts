/**
 * Engines with a common store: what one has written the others find, whoever still lives; what is not there is a
 * recompute.
 */

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, describe, expect, it } from "vitest";
import { type EngineOptions, instantTiming } from "../../../../src/simulated-engine/options.ts";
import type { EngineRole } from "../../../../src/simulated-engine/roles.ts";
import { type RunningEngine, startEngine } from "../../../../src/simulated-engine/server.ts";
import { eventsOf, post } from "../../http.ts";

const folder = mkdtempSync(join(tmpdir(), "gp-store-"));
const running: RunningEngine[] = [];
let stores = 0;

afterEach(async () => {
  await Promise.all(running.splice(0).map((engine) => engine.close()));
});
afterAll(() => rmSync(folder, { recursive: true }));

/** Engines of one dialect around a new store. */
async function start(
  dialect: string,
  roles: readonly EngineRole[],
  more: Partial<EngineOptions> = {},
) {
  const path = join(folder, `${++stores}`);
  const engines = await Promise.all(
    roles.map((role) =>
      startEngine({ role, dialect: `${dialect}:path=${path}`, ...instantTiming, ...more }),
    ),
  );
  running.push(...engines);
  return { path, engines: engines as [RunningEngine, RunningEngine, RunningEngine] };
}

const completions = "/v1/completions";
const request = { prompt: "Tell me of the sea", max_tokens: 20 };
const one = { ...request, max_tokens: 1 };
const ask = async (engine: RunningEngine, body: object) => {
  const response = await post(engine.url, completions, body, { "x-request-id": "same" });
  return { status: response.status, text: await response.text() };
};
const recomputed = (engine: RunningEngine) =>
  Object.fromEntries(Object.entries(engine.state().recomputed).filter(([, count]) => count > 0));

describe("shared-storage", () => {
  it("hands over any prompt that was prefilled, also when its engine is gone", async () => {
    const { engines } = await start("shared-storage", ["prefill", "decode", "mixed"]);
    const [prefill, decode, alone] = engines;
    await ask(prefill, one);
    await prefill.close();
    const { text } = await ask(decode, request);
    expect(text).toBe((await ask(alone, request)).text);
    expect(decode.state()).toMatchObject({ remotePrefills: 1, protocolViolations: 0 });
    expect(recomputed(decode)).toEqual({});
  });

  it.each([
    ["was not prefilled", async () => {}, "store_miss"],
    [
      "is half written",
      async (path: string) => {
        for (const name of await readdir(path)) writeFileSync(join(path, name), '{"promptHa');
      },
      "store_broken",
    ],
  ] as const)("computes and counts what %s", async (_name, spoil, reason) => {
    const { engines, path } = await start("shared-storage", ["prefill", "decode"]);
    const [prefill, decode] = engines;
    if (reason === "store_broken") await ask(prefill, one);
    await spoil(path);
    expect((await ask(decode, request)).status).toBe(200);
    expect(recomputed(decode)).toEqual({ [reason]: 1 });
  });

  it("does not mistake one prompt for another", async () => {
    const { engines } = await start("shared-storage", ["prefill", "decode"]);
    await ask(engines[0], { ...one, prompt: "Tell me of the sky" });
    await ask(engines[1], request);
    expect(recomputed(engines[1])).toEqual({ store_miss: 1 });
  });

  it.each([
    ["two tokens", { max_tokens: 2 }],
    ["two choices", { n: 2 }],
    ["a KV transfer that it has no use for", { kv_transfer_params: {} }],
    ["a threshold", { cache_hit_threshold: 0 }],
  ])("a prefill with %s is a violation", async (_name, more) => {
    const { engines } = await start("shared-storage", ["prefill"]);
    await ask(engines[0], { ...one, ...more });
    expect(engines[0].state().protocolViolations).toBe(1);
  });
});

describe("cache-threshold", () => {
  it.each([true, false])(
    "gives a prompt back that it does not have (stream: %s)",
    async (stream) => {
      const { engines } = await start("cache-threshold", ["decode"]);
      const { status, text } = await ask(engines[0], {
        ...request,
        stream,
        cache_hit_threshold: 0.5,
      });
      expect(status).toBe(200);
      const answers = stream ? eventsOf(text).slice(0, -1) : [text];
      expect(answers).toHaveLength(1);
      expect(JSON.parse(answers[0]!).choices).toMatchObject([
        { text: "", finish_reason: "cache_threshold" },
      ]);
      expect(recomputed(engines[0])).toEqual({});
    },
  );

  it("responds once it is in the store, and from then on by itself", async () => {
    const { engines } = await start("cache-threshold", ["prefill", "decode", "mixed"]);
    const [prefill, decode, alone] = engines;
    await ask(prefill, { ...one, cache_hit_threshold: 0 });
    const { text } = await ask(decode, { ...request, cache_hit_threshold: 0 });
    expect(text).toBe((await ask(alone, request)).text);
    expect(decode.state().remotePrefills).toBe(1);
    expect((await ask(decode, { ...request, cache_hit_threshold: 1 })).text).toBe(text);
    expect(decode.state().remotePrefills).toBe(1);
    expect(recomputed(decode)).toEqual({});
  });

  it("computes and counts what it has to do without", async () => {
    const { engines } = await start("cache-threshold", ["decode"]);
    expect((await ask(engines[0], request)).text).toContain('"finish_reason":"length"');
    expect(recomputed(engines[0])).toEqual({ store_miss: 1 });
  });

  it("a prefill that may be given back is a violation, and stores nothing", async () => {
    const { engines } = await start("cache-threshold", ["prefill", "decode"]);
    const [prefill, decode] = engines;
    expect((await ask(prefill, { ...one, cache_hit_threshold: 0.5 })).text).toContain(
      "cache_threshold",
    );
    expect(prefill.state().protocolViolations).toBe(1);
    await ask(decode, request);
    expect(recomputed(decode)).toEqual({ store_miss: 1 });
  });

  it.each([-1, 1.5, "0.5", null])("a threshold of %s is refused, or none", async (threshold) => {
    const { engines } = await start("cache-threshold", ["mixed"]);
    const { status } = await ask(engines[0], { ...request, cache_hit_threshold: threshold });
    expect(status).toBe(threshold === null ? 200 : 400);
  });
});
