/** length_balance spreads the bytes of prompts evenly over four prefill engines, whatever their number. */
import { afterAll, describe, expect, test } from "vitest";
import { post } from "../support/http-client.ts";
import { pdYaml } from "../support/pd-yaml.ts";
import { oneRuntime } from "../support/runtimes.ts";
import { seedConfig } from "../support/seed.ts";
import { sharedEngines } from "../support/shared-engines.ts";
import { type Engine, Stack } from "../support/stack.ts";

const path = "/v1/completions";

/** Prompts of very different length: one in four is 50 times as long. */
const lengths = Array.from({ length: 60 }, (_, index) => (index % 4 === 0 ? 10_000 : 200));

const byLength = ["--prefill-policy", "length_balance"];

const { prefills, decodes } = sharedEngines(4, 4);

describe.each(oneRuntime("length-balance"))("on %s", (runtime) => {
  const stack = new Stack(runtime);
  const ask = async (url: string, chars: number, id = "any") => {
    const body = { prompt: "x".repeat(chars), max_tokens: 1 };
    const headers = { "x-request-id": id };
    expect(await post(url + path, body, { headers })).toMatchObject({ status: 200, end: "whole" });
  };

  afterAll(() => stack.end());

  test("one after the other, as the seed has it on both sides", async () => {
    const { url } = await stack.serve((port) => seedConfig({ port, prefills, decodes }), "conf");
    const id = `balanced-${runtime}`;
    for (const chars of lengths) await ask(url, chars, id);
    const requestsAt = async (engine: Engine) =>
      (await engine.requests()).filter(({ rawHeaders }) => rawHeaders.includes(id));
    for (const engines of [prefills, decodes]) {
      const requests = await Promise.all(engines.map(requestsAt));
      expect(requests.flat()).toHaveLength(lengths.length);
      const bytes = requests.map((some) => some.reduce((sum, one) => sum + one.bodyBytes, 0));
      const share = bytes.reduce((sum, one) => sum + one, 0) / 4;
      for (const one of bytes) expect(Math.abs(one - share)).toBeLessThan(10_400);
    }
  });

  test("an engine with a huge prompt gets nothing until the others have caught up", async () => {
    const { url } = await stack.startByFlags(prefills, decodes, ...byLength);
    const before = await Promise.all(prefills.map((engine) => engine.state()));
    await ask(url, 100_000);
    const huge = await Promise.all(prefills.map((engine) => engine.state()));
    const busy = huge.findIndex((state, index) => state.requestsSeen > before[index]!.requestsSeen);
    // Fewer than the 32 after which the history decays.
    for (let count = 0; count < 30; count += 1) await ask(url, 300);
    const after = await Promise.all(prefills.map((engine) => engine.state()));
    const gained = after.map((state, index) => state.requestsSeen - before[index]!.requestsSeen);
    expect(gained[busy]).toBe(1);
    expect(gained.toSpliced(busy, 1)).toEqual([10, 10, 10]);
  });

  test("weights give engines their share of bytes", async () => {
    const keys = (index: number) => `, weight: ${index === 0 ? 3 : 1}`;
    const { url } = await stack.serve((port) =>
      pdYaml({ port, prefill: { engines: prefills, keys }, decode: { engines: decodes } }),
    );
    const before = await Promise.all(prefills.map((engine) => engine.state()));
    for (let count = 0; count < 30; count += 1) await ask(url, 500);
    const after = await Promise.all(prefills.map((engine) => engine.state()));
    const gained = after.map((state, index) => state.requestsSeen - before[index]!.requestsSeen);
    expect(gained).toEqual([15, 5, 5, 5]);
  });
});
