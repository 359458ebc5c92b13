/**
 * Decode engines call back to the worker that has their request, whichever of four it is, and after a reload that moved
 * the ports.
 */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { eventually } from "../support/eventually.ts";
import { post } from "../support/http-client.ts";
import { Load } from "../support/load.ts";
import { pdYaml } from "../support/pd-yaml.ts";
import { freePortRun } from "../support/ports.ts";
import { sharingRuntimes } from "../support/runtimes.ts";
import { type Engine, Stack, totals } from "../support/stack.ts";

const dialect = ["--dialect", "vllm-ascend-layerwise"];
const workers = 4;

describe.each(sharingRuntimes)("on %s", (runtime) => {
  const stack = new Stack(runtime);
  let prefills: Engine[];
  let decodes: Engine[];
  let oracle: string;

  beforeAll(async () => {
    const slow = ["--itl-ms", "3", "--batch-penalty-ms", "0", "--kv-transfer-ms", "40"];
    prefills = await stack.startEngines("prefill", 2, dialect);
    decodes = await stack.startEngines("decode", 2, [...dialect, ...slow]);
    oracle = (await stack.startEngines("mixed", 1))[0]!.url;
  });
  afterAll(() => stack.end());

  const yaml = (port: number, callback: string) =>
    pdYaml({
      port,
      top: `workers: ${workers}\nerrorLog: { level: notice }\n${callback}`,
      prefill: { engines: prefills },
      decode: { engines: decodes },
      route: ", dialect: vllm-ascend-layerwise",
    });

  /** Where the last requests were to call back. */
  async function reported(): Promise<URL[]> {
    const requests = await Promise.all(decodes.map((engine) => engine.requests()));
    return requests.flat().flatMap(({ body }) => {
      const url = /"metaserver":"([^"]+)"/.exec(body)?.[1];
      return url === undefined ? [] : [new URL(url)];
    });
  }

  test("each worker has a port of its own; a reload that moves them loses no request", async () => {
    const first = await freePortRun(2 * workers);
    const second = first + workers;
    const { url, port, command } = await stack.serve((at) =>
      yaml(at, `callback: { port: ${first} }`),
    );
    const load = await Load.start(url, oracle, { clients: 16, maxTokens: 25 });
    const inForce = () => command.stderr.split("the new configuration is in force").length - 1;
    try {
      await load.more(100);
      const ports = new Set((await reported()).map((one) => Number(one.port)));
      // Connections, and with them requests, are spread over the workers.
      expect(ports.size).toBeGreaterThan(1);
      for (const each of ports) {
        expect(each).toBeGreaterThanOrEqual(first);
        expect(each).toBeLessThan(first + workers);
      }
      stack.write(`${port}.yaml`, yaml(port, `callback: { port: ${second} }`));
      command.signal("SIGHUP");
      await eventually(() => inForce() === 1);
      await load.turnover();
      await load.more(100);
      expect((await reported()).some((one) => Number(one.port) >= second)).toBe(true);
      expect((await reported()).every(({ hostname }) => hostname === "127.0.0.1")).toBe(true);
    } finally {
      const { wrong, cut, failed } = await load.stop();
      expect({ wrong, cut, failed }).toEqual({ wrong: [], cut: 0, failed: 0 });
    }
    expect(totals(await stack.settled())).toMatchObject({ recomputed: 0, violations: 0 });
    const late = (await reported()).at(-1)!;
    expect((await post(late.href, "{}")).status).toBe(404);
  });

  test("a port that is taken is said, and a reload to it changes nothing", async () => {
    const taken = Number(new URL(oracle).port);
    const { url, port, command } = await stack.serve((at) => yaml(at, ""));
    stack.write(`${port}.yaml`, yaml(port, `callback: { port: ${taken} }`));
    command.signal("SIGHUP");
    await eventually(() => command.stderr.includes(`:${taken} failed`));
    const response = await post(`${url}/v1/completions`, { prompt: "x ", max_tokens: 3 });
    expect(response.status).toBe(200);
    const [last] = (await reported()).slice(-1);
    expect(Number(last!.port)).not.toBe(taken);
  });
});
