/** What engines serve is known from their lists, at all routes of several models, and not forgotten with an outage. */
import { afterEach, expect, it } from "vitest";
import { type ConfigInput, configSchema } from "../../../src/config/schema/schema.ts";
import { DialectFinder } from "../../../src/control/discovery/dialect-finder.ts";
import { Prober } from "../../../src/control/discovery/prober.ts";
import { optionalProbeRounds, probeResponseBytesMax } from "../../../src/control/limits.ts";
import type { EngineResponse, NoResponse } from "../../../src/control/polling/ask-engine.ts";
import { listedModelsMax, modelNameCharsMax } from "../../../src/limits.ts";
import { cardsIn, modelsIn } from "../../../src/pool/model-cards.ts";

type Route = ConfigInput["servers"][number]["routes"][number];

const opened: { close(): void }[] = [];
afterEach(() => {
  for (const one of opened.splice(0)) one.close();
});

function configOf(route: Partial<Route>) {
  const pool = (...urls: string[]) => ({ engines: urls.map((url) => ({ url })) });
  return configSchema.parse({
    pools: { p: pool("p:1"), d: pool("d:1"), whole: pool("w:1"), other: pool("o:1") },
    servers: [{ listen: [{ port: 1 }], routes: [{ match: { path: "/" }, ...route }] }],
  });
}

const split = { prefill: { pool: "p" }, target: { pool: "d" }, dialect: "vllm-nixl" } as const;
const models: Route["models"] = [split, { model: "x", target: { pool: "whole" } }];

function proberOf() {
  const answers = new Map<string, EngineResponse | NoResponse>();
  const asked: string[] = [];
  const logged: string[] = [];
  let changes = 0;
  const prober = new Prober({
    log: (level, message) => logged.push(`${level} ${message}`),
    changed: () => {
      changes += 1;
    },
    ask: ({ key }, path) => {
      asked.push(`${key}${path}`);
      return Promise.resolve(path === "/v1/models" ? (answers.get(key) ?? "failed") : "failed");
    },
  });
  opened.push(prober);
  const lists = (engine: string, ...cards: object[]) =>
    answers.set(engine, { status: 200, body: Buffer.from(JSON.stringify({ data: cards })) });
  const idsOf = (identity: string) => {
    const text = prober.discovered[identity]?.attributes["models"];
    return text === undefined ? undefined : cardsIn(text).map(({ id }) => id);
  };
  return { prober, answers, lists, idsOf, asked, logged, changes: () => changes };
}

it("engines of all entries are asked, those of the prefill too, and no others", async () => {
  const { prober, lists, idsOf, asked } = proberOf();
  lists("p:1", { id: "m" });
  lists("d:1", { id: "m", max_model_len: 4_096 }, { id: "lora", parent: "m" });
  lists("w:1", { id: "w" });
  await prober.use(configOf({ models }));
  expect(asked.filter((one) => one.endsWith("/v1/models")).sort()).toEqual(
    ["d:1", "p:1", "w:1"].map((key) => `${key}/v1/models`),
  );
  expect(["p p:1", "d d:1", "whole w:1"].map(idsOf)).toEqual([["m"], ["m", "lora"], ["w"]]);
  // The same list says how long a request may be.
  expect(prober.discovered["d d:1"]!.attributes["max_model_len"]).toBe("4096");
});

it("a route of one model asks nobody for names", async () => {
  const { prober, idsOf } = proberOf();
  await prober.use(configOf(split));
  expect(Object.keys(prober.discovered).map(idsOf)).toEqual([undefined, undefined]);
});

it("an engine that is down still has what it last listed, and one that is back what it lists then", async () => {
  const { prober, answers, lists, idsOf } = proberOf();
  const rounds = async () => {
    for (let i = 0; i < optionalProbeRounds; i += 1) await prober.round();
  };
  lists("w:1", { id: "one" });
  await prober.use(configOf({ models }));
  for (const outage of ["refused", "failed", { status: 503, body: Buffer.from("") }] as const) {
    answers.set("w:1", outage);
    await rounds();
    expect(idsOf("whole w:1")).toEqual(["one"]);
    expect(prober.discovered["whole w:1"]!.isReady).toBe(true);
  }
  lists("w:1", { id: "two" });
  await rounds();
  expect(idsOf("whole w:1")).toEqual(["two"]);
});

it("a list that differs only in times and ids of permissions changes nothing", async () => {
  const { prober, lists, changes } = proberOf();
  const card = (created: number) => ({
    id: "m",
    created,
    permission: [{ id: `modelperm-${created}` }],
  });
  lists("w:1", card(1));
  await prober.use(configOf({ models }));
  const before = changes();
  lists("w:1", card(2));
  for (let i = 0; i < optionalProbeRounds; i += 1) await prober.round();
  expect(changes()).toBe(before);
});

it("what is no model of a list is left out, and no list is none", () => {
  const ids = (data: unknown) => {
    const text = modelsIn(Buffer.from(JSON.stringify({ data })));
    return text === undefined ? undefined : cardsIn(text).map(({ id }) => id);
  };
  const long = "m".repeat(modelNameCharsMax + 1);
  expect(ids([null, 1, {}, { id: 1 }, { id: "" }, { id: long }, { id: "m" }])).toEqual(["m"]);
  expect(ids([{ id: "m", root: "r".repeat(5_000) }])).toEqual([]);
  expect(ids(Array.from({ length: listedModelsMax + 5 }, () => ({ id: "m" })))).toHaveLength(
    listedModelsMax,
  );
  expect(ids(Array.from({ length: 10_000 }, (_, at) => ({ id: `adapter-${at}` })))).toHaveLength(
    10_000,
  );
  expect(ids({})).toBeUndefined();
  expect(modelsIn(Buffer.from("<html>"))).toBeUndefined();
});

it("what is not used of a list is said once, and that a list is too large", async () => {
  const { prober, answers, lists, idsOf, logged } = proberOf();
  const rounds = async () => {
    for (let i = 0; i < 2 * optionalProbeRounds; i += 1) await prober.round();
  };
  lists("w:1", ...Array.from({ length: listedModelsMax + 5 }, (_, at) => ({ id: `a${at}` })));
  await prober.use(configOf({ models }));
  await rounds();
  const unused = `warn engine whole w:1 responds to /v1/models: 5 of ${listedModelsMax + 5} models are not used`;
  expect(logged).toEqual([expect.stringContaining(unused)]);
  answers.set("w:1", "too-large");
  await rounds();
  expect(logged.slice(1)).toEqual([expect.stringMatching(/ w:1 .* more than \d+ bytes/)]);
  expect(idsOf("whole w:1")).toHaveLength(listedModelsMax);
});

it("a list of as many models as are used is read as a whole, at 600 bytes each", () => {
  expect(probeResponseBytesMax).toBeGreaterThan(listedModelsMax * 600);
});

it("the dialect of each entry is found by itself", async () => {
  const versions = new Map([
    ["p:1", "sglang"],
    ["d:1", "sglang"],
  ]);
  const finder = new DialectFinder({
    log: () => {},
    changed: () => {},
    ask: ({ key }, path) => {
      const isSglang = versions.has(key) && path.startsWith("/server_info");
      const body = Buffer.from('{"disaggregation_mode":"prefill","server_args":{}}');
      return Promise.resolve(isSglang ? { status: 200, body } : { status: 404, body });
    },
  });
  opened.push(finder);
  const auto = { ...split, dialect: "auto" } as const;
  const config = configOf({
    models: [auto, { ...auto, prefill: { pool: "other" }, target: { pool: "whole" } }],
  });
  finder.use(config);
  await finder.round();
  const [route] = finder.resolve(config).servers[0]!.routes;
  expect(route!.models).toMatchObject([{ dialect: "sglang" }, { dialect: "auto" }]);
});
