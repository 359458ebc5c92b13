/** Four workers decide as one: bounds, loads, histories and failures of engines are those of the whole proxy. */
import { setMaxListeners } from "node:events";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { runCommand } from "../support/command.ts";
import { eventually } from "../support/eventually.ts";
import { type Answered, post } from "../support/http-client.ts";
import { Load } from "../support/load.ts";
import { pdYaml } from "../support/pd-yaml.ts";
import { sharesPorts, sharingRuntimes } from "../support/runtimes.ts";
import { type Engine, endLeases, Stack, totals } from "../support/stack.ts";

const path = "/v1/completions";

/** For as many requests as the test has. */
function abortable(): AbortController {
  const controller = new AbortController();
  setMaxListeners(0, controller.signal);
  return controller;
}

test.skipIf(sharesPorts("node"))(
  "a Node that cannot share a port says so, and serves nothing",
  () => {
    const flags = ["--prefill", "a:1", "--decode", "b:1", "--listen", "127.0.0.1:0"];
    const { code, stderr } = runCommand([...flags, "--workers", "4"], { runtime: "node" });
    expect(code).toBe(1);
    expect(stderr).toMatch(/\[emerg\].*workers.*22\.12/);
    expect(stderr).not.toContain("listening");
  },
);

describe.each(sharingRuntimes)("on %s", (runtime) => {
  const stack = new Stack(runtime);
  let prefills: Engine[];
  let decodes: Engine[];
  let oracle: Engine;

  beforeAll(async () => {
    prefills = await stack.startEngines("prefill", 4);
    decodes = await stack.startEngines("decode", 4);
    [oracle] = (await stack.startEngines("mixed", 1)) as [Engine];
  });
  afterAll(() => stack.end());

  /** @param keys of each prefill and each decode engine */
  async function serve(keys: { prefill?: string; decode?: string }) {
    const top = `workers: 4
errorLog: { level: notice }
logFormats: { serial: { format: "$connection $status" } }`;
    const textFor = (port: number, engines: readonly Engine[]) =>
      pdYaml({
        port,
        top,
        prefill: { engines: prefills, keys: keys.prefill ?? "" },
        decode: { engines, keys: keys.decode ?? "" },
        route: `, accessLogs: [{ file: ${port}.log, format: serial }]`,
      });
    const { url, port, command } = await stack.serve((at) => textFor(at, decodes));
    expect(command.stderr).toContain("4 workers, listening on");
    /** Numbers that workers gave to connections: each counts its own. */
    const serials = async (count: number) => {
      const lines = () => readFileSync(join(stack.folder, `${port}.log`), "utf8").split("\n");
      await eventually(() => lines().length > count);
      return lines().flatMap((line) => (line === "" ? [] : [line.split(" ")[0]!]));
    };
    const reload = (decode: readonly Engine[]) => {
      stack.write(`${port}.yaml`, textFor(port, decode));
      command.signal("SIGHUP");
    };
    return { url, command, serials, reload };
  }

  const seen = async (engines: readonly Engine[]) => {
    const states = await Promise.all(engines.map((engine) => engine.state()));
    return states.map(({ requestsSeen }) => requestsSeen);
  };
  const gained = async (engines: readonly Engine[], before: readonly number[]) =>
    (await seen(engines)).map((count, index) => count - before[index]!);
  const running = async () =>
    (await Promise.all(decodes.map((engine) => engine.state()))).map((state) => state.running);

  /** Begins a stream that stays open; resolves at its first byte, or with a response that is an error. */
  function hold(url: string, stop: AbortSignal): Promise<Answered | undefined> {
    return new Promise((resolve) => {
      const response = post(
        url + path,
        { prompt: "a", stream: true },
        {
          signal: stop,
          onData: (part) => {
            if (part.toString().startsWith("data:")) resolve(undefined);
          },
        },
      );
      void response.then(resolve);
    });
  }

  test("least_conn: each engine has its share of the open streams", async () => {
    const { url, serials } = await serve({});
    for (const engine of decodes) await engine.setFault({ kind: "stall", chunks: 1 });
    const stop = abortable();
    for (let count = 0; count < 24; count += 1) await hold(url, stop.signal);
    expect(await running()).toEqual([6, 6, 6, 6]);
    stop.abort();
    await stack.settled();
    for (const engine of decodes) await engine.clearFaults();
    // One worker alone would have counted to 24.
    expect(new Set(await serials(24)).size).toBeLessThan(24);
  });

  test("max_conns: all at once, no engine gets more, and each place is free again", async () => {
    const { url, serials } = await serve({ decode: ", maxConns: 2" });
    for (const engine of decodes) await engine.setFault({ kind: "stall", chunks: 1 });
    for (let round = 0; round < 3; round += 1) {
      const stop = abortable();
      const tries = Array.from({ length: 24 }, () => hold(url, stop.signal));
      const refused = (await Promise.all(tries)).filter((response) => response !== undefined);
      expect(refused).toHaveLength(16);
      expect(new Set(refused.map(({ status }) => status))).toEqual(new Set([503]));
      expect(JSON.parse(refused[0]!.body).error.code).toBe("GP_DECODE_FULL");
      // Beside them, KV caches of rejected requests are freed, by requests that are over at once.
      await eventually(async () => (await running()).every((count) => count === 2));
      stop.abort();
      // Prefills whose decode was rejected have left KV behind.
      await endLeases(stack.engines);
      await serials(24 * (round + 1));
    }
    for (const engine of decodes) await engine.clearFaults();
  });

  test("length_balance: an engine with a huge prompt gets nothing from any worker", async () => {
    const { url } = await serve({});
    const before = await seen(prefills);
    await post(url + path, { prompt: "x".repeat(100_000), max_tokens: 1 });
    const busy = (await gained(prefills, before)).indexOf(1);
    // Fewer than the 32 after which the history decays.
    for (let count = 0; count < 30; count += 1) {
      await post(url + path, { prompt: "x".repeat(500), max_tokens: 1 });
    }
    const shares = await gained(prefills, before);
    expect(shares[busy]).toBe(1);
    expect(shares.toSpliced(busy, 1)).toEqual([10, 10, 10]);
  });

  test("a failure that one worker saw, all have seen", async () => {
    const { url } = await serve({ prefill: ", maxFails: 1, failTimeoutMs: 3600000" });
    const before = await seen(prefills);
    await prefills[1]!.setFault({ kind: "reset-before-headers" });
    for (let count = 0; count < 24; count += 1) {
      expect((await post(url + path, { prompt: `${count}` })).status).toBe(200);
    }
    await prefills[1]!.clearFaults();
    expect((await gained(prefills, before))[1]).toBe(1);
  });

  test("under load, with reloads, nothing is lost; quit ends all workers", async () => {
    const { url, command, reload } = await serve({});
    const load = await Load.start(url, oracle.url, { clients: 12, maxTokens: 20 });
    try {
      for (const engines of [decodes.slice(2), decodes.slice(0, 2), decodes]) {
        const done = command.stderr.split("is in force").length;
        reload(engines);
        await eventually(() => command.stderr.split("is in force").length > done);
        await load.turnover();
        const out = decodes.filter((engine) => !engines.includes(engine));
        const before = await seen(out);
        await load.more(36);
        expect(await seen(out)).toEqual(before);
      }
    } finally {
      const { wrong, failed, cut } = await load.stop();
      expect({ wrong, failed, cut }).toEqual({ wrong: [], failed: 0, cut: 0 });
    }
    command.signal("SIGQUIT");
    expect(await command.exited).toBe(0);
    expect(totals(await stack.settled())).toMatchObject({ recomputed: 0, violations: 0 });
  });
});
