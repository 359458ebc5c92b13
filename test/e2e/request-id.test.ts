/** One id per request: given when absent, kept when there, the same at prefill, at decode and in the response. */
import { afterAll, describe, expect, test } from "vitest";
import { post } from "../support/http-client.ts";
import { bunAndOneNode } from "../support/runtimes.ts";
import { seedConfig } from "../support/seed.ts";
import { sharedEngines } from "../support/shared-engines.ts";
import { type Engine, Stack } from "../support/stack.ts";

const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
const path = "/v1/completions";

/** How many ids of each engine were looked at. */
const seen = new Map<Engine, number>();
const { field, prefills, decodes } = sharedEngines(4, 4);

describe.each(bunAndOneNode("request-id"))("on %s", (runtime) => {
  const stack = new Stack(runtime);

  afterAll(() => stack.end());

  /** The ids that engines of a role got since the last look; `""` where there was none. */
  async function newIds(engines: readonly Engine[]): Promise<string[]> {
    const ids: string[] = [];
    for (const engine of engines) {
      const { requestIds } = await engine.state();
      ids.push(...requestIds.slice(seen.get(engine) ?? 0));
      seen.set(engine, requestIds.length);
    }
    return ids;
  }

  /** Asks once; with the ids that the client, the prefill engine and the decode engine saw. */
  async function exchange(url: string, headers: Record<string, string> = {}, more: object = {}) {
    const response = await post(url + path, { prompt: "Hello", ...more }, { headers });
    expect(response.status).toBe(200);
    const returned = response.headers["x-request-id"];
    return { returned, prefill: await newIds(prefills), decode: await newIds(decodes) };
  }

  async function serveSeed(location: string): Promise<string> {
    const textFor = (port: number) => seedConfig({ port, prefills, decodes, location });
    return (await stack.serve(textFor, "conf")).url;
  }

  test("by flags it is on", async () => {
    const { url } = await stack.startByFlags(prefills, decodes);
    const first = await exchange(url);
    expect(first.returned).toMatch(uuid);
    expect(first).toMatchObject({ prefill: [first.returned], decode: [first.returned] });
    const second = await exchange(url, {}, { stream: true });
    expect(second.returned).toMatch(uuid);
    expect(second.returned).not.toBe(first.returned);
    const own = await exchange(url, { "X-REQUEST-ID": "Mine/1" });
    expect(own).toEqual({ returned: "Mine/1", prefill: ["Mine/1"], decode: ["Mine/1"] });
  });

  test("it stays the same over tries at several engines, and comes with errors", async () => {
    for (const engine of [...prefills.slice(0, 3), ...decodes.slice(0, 3)]) {
      await engine.setFault({ kind: "reset-before-headers" });
    }
    const { url, command } = await stack.startByFlags(prefills, decodes);
    for (let tries = 0; tries < 4; tries += 1) {
      const { returned, prefill, decode } = await exchange(url);
      expect(new Set([...prefill, ...decode])).toEqual(new Set([returned]));
    }
    for (const engine of decodes) await engine.setFault({ kind: "reset-before-headers" });
    const failed = await post(url + path, { prompt: "Hello" });
    expect(failed.status).toBe(502);
    expect(failed.headers["x-request-id"]).toMatch(uuid);
    expect(new Set(await newIds(decodes))).toEqual(new Set([failed.headers["x-request-id"]]));
    for (const engine of field.engines) await engine.clearFaults();
    const refused = await post(url + path, "{broken", { headers: { "x-request-id": "mine" } });
    expect(refused).toMatchObject({ status: 400, headers: { "x-request-id": "mine" } });
    // The proxy frees the KV cache that no decode engine took as soon as one works again, by a request of its own.
    await command.kill();
    await newIds(prefills);
    await newIds(decodes);
  });

  test("in nginx.conf it is off", async () => {
    const url = await serveSeed("");
    expect(await exchange(url)).toEqual({ returned: undefined, prefill: [""], decode: [""] });
    const own = await exchange(url, { "X-Request-Id": "mine" });
    expect(own).toMatchObject({ prefill: ["mine"], decode: ["mine"] });
  });

  test("set_request_id on gives one, off gives none", async () => {
    const on = await exchange(await serveSeed("set_request_id on;"), {}, { stream: true });
    expect(on.returned).toMatch(uuid);
    expect(on).toMatchObject({ prefill: [on.returned], decode: [on.returned] });
    const off = await exchange(await serveSeed("set_request_id off;"));
    expect(off).toEqual({ returned: undefined, prefill: [""], decode: [""] });
  });
});
