/** Requests of one session come to one prefill engine, whether a header or a member of the body says which session it is. */
import { afterAll, describe, expect, test } from "vitest";
import { post } from "../support/http-client.ts";
import { bunAndOneNode } from "../support/runtimes.ts";
import { sharedEngines } from "../support/shared-engines.ts";
import { Stack } from "../support/stack.ts";

const { prefills, decodes } = sharedEngines(4, 2);

describe.each(bunAndOneNode("session-affinity"))("on %s", (runtime) => {
  const stack = new Stack(runtime);
  afterAll(() => stack.end());

  test("sessions stay, and differ", async () => {
    const { url } = await stack.startByFlags(
      prefills,
      decodes,
      "--prefill-policy",
      "session_affinity",
    );
    const enginesOf = async (id: string, body: object, headers: Record<string, string> = {}) => {
      for (let turn = 0; turn < 4; turn += 1) {
        const prompt = `${"turn ".repeat(200 * turn)} of ${id}`;
        const all = { "x-request-id": id, ...headers };
        const response = post(
          `${url}/v1/completions`,
          { prompt, max_tokens: 1, ...body },
          { headers: all },
        );
        expect(await response).toMatchObject({ status: 200, end: "whole" });
      }
      const seen = await Promise.all(
        prefills.map(async (engine) => {
          const requests = await engine.requests();
          return requests.filter(({ rawHeaders }) => rawHeaders.includes(id)).length;
        }),
      );
      expect(Math.max(...seen), `${seen}`).toBe(4);
      return seen.indexOf(4);
    };
    const homes = new Set<number>();
    for (let n = 0; n < 6; n += 1) {
      homes.add(await enginesOf(`user-${runtime}-${n}`, { user: `ann ${n}` }));
      homes.add(
        await enginesOf(`cache-${runtime}-${n}`, { prompt_cache_key: `k${n}`, user: "ann" }),
      );
      const header = { "x-session-id": `s${n}` };
      homes.add(await enginesOf(`head-${runtime}-${n}`, { user: "bob" }, header));
    }
    expect(homes.size).toBeGreaterThan(1);
  });
});
