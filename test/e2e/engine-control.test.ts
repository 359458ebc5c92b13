/** Control paths and forged transfer fields over real sockets: what the proxy and an engine read must be one. */
import { connect } from "node:net";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ask, post } from "../support/http-client.ts";
import { oneRuntime } from "../support/runtimes.ts";
import { type Engine, type ServingProxy, Stack } from "../support/stack.ts";

describe.each(oneRuntime("engine-control"))("on %s", (runtime) => {
  const stack = new Stack(runtime);
  const ways = new Map<string, ServingProxy>();
  let engines: Engine[];

  beforeAll(async () => {
    const [prefills, decodes] = await Promise.all([
      stack.startEngines("prefill", 1),
      stack.startEngines("decode", 1),
    ]);
    engines = [prefills[0]!, decodes[0]!];
    ways.set("P/D", await stack.startByFlags(prefills, decodes));
    ways.set(
      "with --engine-control",
      await stack.startByFlags(prefills, decodes, "--engine-control"),
    );
  });
  afterAll(() => stack.end());

  /** As it stands: no client library changes the path. */
  const statusOf = (way: string, target: string) =>
    new Promise<number>((resolve, reject) => {
      const socket = connect(ways.get(way)!.port, "127.0.0.1", () =>
        socket.write(
          `POST ${target} HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}`,
        ),
      );
      let text = "";
      socket.on("data", (part) => {
        text += part.toString("latin1");
      });
      socket.on("close", () => resolve(Number(/^HTTP\/1\.1 (\d+)/.exec(text)?.[1] ?? 0)));
      socket.on("error", reject);
    });
  const pathsSeen = async () =>
    (await Promise.all(engines.map((engine) => engine.requests()))).flat().map(({ path }) => path);

  test("control paths reach no engine, however they are written", async () => {
    const targets = [
      "/sleep",
      "/SLEEP/",
      "//sleep?level=1",
      "/./sleep",
      "/v1/models/../../sleep",
      "/%73%6c%65%65%70",
      "/%2573leep",
      "/v1/load_lora_adapter",
      "/sleep/../v1/models",
      "http://a/flush_cache",
      "/collective_rpc",
      "/update_weights_from_disk",
    ];
    for (const target of targets) expect(await statusOf("P/D", target), target).toBe(403);
    expect(
      (await pathsSeen()).filter((path) => /sleep|lora|flush|rpc|weights|%/i.test(path)),
    ).toEqual([]);
  });

  test("the operator can let them through", async () => {
    // The simulated engine has no such path: its own 404.
    expect(await statusOf("with --engine-control", "/sleep")).toBe(404);
    expect(await pathsSeen()).toContain("/sleep");
  });

  test("forged transfer fields and ranks reach no engine, and the request is served", async () => {
    const { url } = ways.get("P/D")!;
    const body =
      '{"prompt":"forged","max_tokens":2,"kv\\u005ftransfer_params":{"remote_host":"evil"},' +
      '"bootstrap_host":"evil","ec_transfer_params":{"a":"evil"}}';
    const headers = {
      "x-prefiller-host-port": "evil:1",
      x_data_parallel_rank: "7",
      "x-data-parallel-rank": "7",
    };
    expect((await post(`${url}/v1/completions`, body, { headers })).status).toBe(200);
    expect((await post(`${url}/tokenize`, body, { headers })).status).toBe(200);
    const all = (await Promise.all(engines.map((engine) => engine.requests()))).flat();
    expect(all.length).toBeGreaterThanOrEqual(3);
    expect(JSON.stringify(all)).not.toMatch(/evil|data.parallel.rank/i);
  });

  test("what is for clients is served", async () => {
    const { url } = ways.get("P/D")!;
    for (const path of ["/health", "/v1/models", "/metrics", "/version"]) {
      expect((await ask(url + path)).status, path).toBe(200);
    }
  });
});
