/** Active health checks: an engine that is not well gets no requests, and one bad answer changes nothing. */
import { afterEach, expect, it } from "vitest";
import { type ConfigInput, configSchema } from "../../../src/config/schema/schema.ts";
import type { EngineResponse, NoResponse } from "../../../src/control/polling/ask-engine.ts";
import { HealthChecker } from "../../../src/control/polling/health-checker.ts";
import { SlotTable } from "../../../src/pool/slots.ts";
import { createScoreboardMemory, Scoreboard } from "../../../src/scoreboard/scoreboard.ts";

type HealthCheck = NonNullable<ConfigInput["pools"]>[string]["healthCheck"];

const intervalMs = 600_000;
const checkers: HealthChecker[] = [];
afterEach(() => {
  for (const checker of checkers.splice(0)) checker.close();
});

type Result = EngineResponse | NoResponse | Promise<never>;

const status = (code: number): EngineResponse => ({ status: code, body: Buffer.from("{}") });

function worldOf(healthCheck: HealthCheck = {}) {
  const board = new Scoreboard(createScoreboardMemory({ workers: 1, slots: 4 }), 0);
  const table = new SlotTable(4, (slot) => board.clearSlot(slot));
  const asked: string[] = [];
  const log: string[] = [];
  const world = {
    asked,
    log,
    response: status(200) as Result,
    isUnhealthy: () => board.health.isUnhealthy(0),
    use(check: HealthCheck | undefined) {
      const config = configSchema.parse({
        pools: { p: { engines: [{ url: "a:1" }], ...(check && { healthCheck: check }) } },
        servers: [{ listen: [{ port: 0 }], routes: [] }],
      });
      checker.use(config, table.assign(config));
    },
    /** So many checks with this response. */
    async checks(times: number, response: Result) {
      world.response = response;
      for (let i = 0; i < times; i += 1) await checker.round(intervalMs);
    },
  };
  const checker = new HealthChecker({
    board,
    log: (level, message) => log.push(`${level}: ${message}`),
    ask: async ({ key }, path, { method = "GET", body } = {}) => {
      asked.push(`${method} ${key}${path} ${body ?? ""}`.trim());
      if (path === "/v1/models") return { status: 200, body: Buffer.from('{"data":[{"id":"m"}]}') };
      return world.response;
    },
  });
  checkers.push(checker);
  world.use({ intervalMs, ...healthCheck });
  return world;
}

/** The round that a configuration begins with has ended. */
const started = () => new Promise(setImmediate);

it("takes several failures in a row to take an engine out, and several successes to take it back", async () => {
  const world = worldOf({ unhealthyThreshold: 3, healthyThreshold: 2 });
  await started();
  await world.checks(2, status(503));
  await world.checks(1, status(200));
  await world.checks(2, "refused");
  expect(world.isUnhealthy()).toBe(false);
  await world.checks(1, "failed");
  expect(world.isUnhealthy()).toBe(true);
  await world.checks(1, status(200));
  await world.checks(1, status(500));
  await world.checks(1, status(200));
  expect(world.isUnhealthy()).toBe(true);
  await world.checks(1, status(200));
  expect(world.isUnhealthy()).toBe(false);
  expect(world.log.map((line) => line.split(":", 1)[0])).toEqual(["warn", "notice"]);
});

it("an engine without a health check of its own stays in its pool", async () => {
  const world = worldOf();
  await started();
  await world.checks(10, status(404));
  expect(world.isUnhealthy()).toBe(false);
});

it("an engine that does not respond in time is not well", async () => {
  const world = worldOf({ timeoutMs: 5, unhealthyThreshold: 1 });
  await started();
  await world.checks(1, new Promise<never>(() => {}));
  expect(world.isUnhealthy()).toBe(true);
});

it("a configuration without checks gives an unhealthy engine its requests back", async () => {
  const world = worldOf({ unhealthyThreshold: 1 });
  await started();
  await world.checks(1, "refused");
  world.use({ intervalMs, path: "/ping", unhealthyThreshold: 1 });
  expect(world.isUnhealthy()).toBe(true);
  world.use(undefined);
  expect(world.isUnhealthy()).toBe(false);
});

it("a check by inference generates one token of a model that the engine lists", async () => {
  const world = worldOf({ inference: true, unhealthyThreshold: 1 });
  await started();
  expect(world.asked).toEqual([
    "GET a:1/v1/models",
    'POST a:1/v1/completions {"model":"m","prompt":"1","max_tokens":1}',
  ]);
  await world.checks(1, status(404));
  expect(world.isUnhealthy()).toBe(true);
});
