/** quit finishes the requests in flight and takes no new ones; stop ends at once; both exit with 0. */
import { Agent } from "node:http";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openRaw, postBytes } from "../simulated-engine/raw-client.ts";
import { eventually } from "../support/eventually.ts";
import { ask, post } from "../support/http-client.ts";
import { pdYaml } from "../support/pd-yaml.ts";
import { bunAndOneNode } from "../support/runtimes.ts";
import { type Engine, Stack } from "../support/stack.ts";
import { scaled } from "../support/times.ts";

const path = "/v1/completions";
/** So that streams outlive what is done while they run. */
const slow = ["--prefill-tokens-per-second", "0", "--itl-ms", `${scaled(15)}`];
const stream = { prompt: "Hello", stream: true, max_tokens: 100 };

describe.each(bunAndOneNode("drain"))("on %s", (runtime) => {
  const stack = new Stack(runtime);
  let prefills: Engine[];
  let decodes: Engine[];
  let oracle: string;

  beforeAll(async () => {
    prefills = await stack.startEngines("prefill", 1);
    decodes = await stack.startEngines("decode", 1, slow);
    oracle = (await stack.startEngines("mixed", 1))[0]!.url;
  });
  afterAll(() => stack.end());

  /** Begins a stream; resolves at its first byte, with the promise of the rest. */
  async function begin(url: string, more: object = {}) {
    const headers = { "x-request-id": "same" };
    let begun = () => {};
    const first = new Promise<void>((resolve) => {
      begun = resolve;
    });
    const response = post(url + path, { ...stream, ...more }, { headers, onData: () => begun() });
    await first;
    return { response };
  }

  test("SIGQUIT: responses end as they should, idle connections close, new ones are refused", async () => {
    const { url, command } = await stack.startByFlags(prefills, decodes);
    const expected = await post(oracle + path, stream, { headers: { "x-request-id": "same" } });
    const { requestsSeen } = await decodes[0]!.state();
    const idle = await openRaw(url);
    const pooled = new Agent({ keepAlive: true });
    expect((await ask(`${url}/health`, { agent: pooled })).status).toBe(200);
    const { response } = await begin(url);
    const whole = post(url + path, { ...stream, stream: false });
    await eventually(async () => (await decodes[0]!.state()).requestsSeen === requestsSeen + 2);
    command.signal("SIGQUIT");
    expect(await idle.ended).not.toBe("close");
    expect(await ask(`${url}/health`)).toMatchObject({ status: 0, error: "ECONNREFUSED" });
    expect(command.child.exitCode).toBe(null);
    expect(await response).toMatchObject({ status: 200, end: "whole", body: expected.body });
    expect(await whole).toMatchObject({ status: 200, end: "whole" });
    expect(await command.exited).toBe(0);
    pooled.destroy();
    await stack.settled();
  });

  test("SIGQUIT: a request pipelined behind a stream is not started", async () => {
    const { url, command } = await stack.startByFlags(prefills, decodes);
    const client = await openRaw(url);
    client.socket.write(postBytes(path, stream) + postBytes(path, stream));
    await client.until("data: {");
    const { requestsSeen } = await prefills[0]!.state();
    command.signal("SIGQUIT");
    expect(await client.ended).toBe("end");
    expect(client.text().match(/data: \[DONE\]/g)).toHaveLength(1);
    expect(await command.exited).toBe(0);
    expect((await prefills[0]!.state()).requestsSeen).toBe(requestsSeen);
  });

  test.each(["SIGTERM", "SIGINT"] as const)(
    "%s: ends at once, and cut streams look cut",
    async (name) => {
      const { url, command } = await stack.startByFlags(prefills, decodes);
      const { response } = await begin(url, { max_tokens: 100_000 });
      const idle = await openRaw(url);
      command.signal(name);
      expect(await command.exited).toBe(0);
      const { end, body } = await response;
      expect(end).toBe("cut");
      expect(body).not.toContain("data: [DONE]");
      await idle.ended;
      // The engine is cancelled, too.
      await stack.settled();
    },
  );

  test("SIGTERM while it drains ends at once", async () => {
    const { url, command } = await stack.startByFlags(prefills, decodes);
    const { response } = await begin(url, { max_tokens: 100_000 });
    command.signal("SIGQUIT");
    await eventually(async () => (await ask(`${url}/health`)).error === "ECONNREFUSED");
    expect(command.child.exitCode).toBe(null);
    command.signal("SIGTERM");
    expect(await command.exited).toBe(0);
    expect((await response).end).toBe("cut");
  });

  test("a drain has a bound where the configuration sets one", async () => {
    const bounded = await stack.serve((port) =>
      pdYaml({
        port,
        top: "drainTimeoutMs: 300",
        prefill: { engines: prefills },
        decode: { engines: decodes },
      }),
    );
    const { response } = await begin(bounded.url, { max_tokens: 100_000 });
    bounded.command.signal("SIGQUIT");
    expect(await bounded.command.exited).toBe(0);
    expect((await response).end).toBe("cut");
    await stack.settled();
  });
});
