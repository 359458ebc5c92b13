/** Changes while it runs: none may be lost, half done, or outlive the reload that takes it back. */
import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { Runtime } from "../../../src/config/check/runtime.ts";
import type { LoadedConfig, LoadResult } from "../../../src/config/load.ts";
import { inCommandLine } from "../../../src/config/problems/problem.ts";
import type { Config } from "../../../src/config/schema/schema.ts";
import { authSchema } from "../../../src/config/schema/tenants.ts";
import { parseYaml } from "../../../src/config/yaml/read-yaml.ts";
import { Reconfiguration } from "../../../src/control/process/reconfiguration.ts";
import type { ErrorLog } from "../../../src/observe/error-log.ts";

const runtime: Runtime = { name: "Node", version: "24.0.0", cores: 2, sharedPorts: true };

function written(text: string): Config {
  const parsed = parseYaml(text, "gp.yaml");
  if ("errors" in parsed) throw new Error(parsed.errors[0]!.message);
  return parsed.config;
}
const text = (level: string) => `
errorLog: { level: ${level} }
pools: { p: { engines: [{ url: "http://a:1" }] } }
servers:
  - listen: [{ port: 1 }]
    routes: [{ match: { kind: prefix, path: / }, target: { pool: p } }]
`;

function instance(loaded: { result: LoadResult }) {
  const state = {
    config: written(text("warn")),
    fails: false,
    obstacle: undefined as string | undefined,
  };
  const plane = {
    get config() {
      return state.config;
    },
    workers: 1,
    async apply(config: Config) {
      if (state.fails) throw new Error("bind() failed");
      state.config = config;
    },
  };
  const say = () => {};
  const changes = new Reconfiguration({
    runtime,
    log: { notice: say, warn: say, error: say, emerg: say, log: say } as unknown as ErrorLog,
    load: () => loaded.result,
    obstacle: () => state.obstacle,
    plane,
    applied: say,
  });
  return { state, changes };
}
const good = (level: string) => ({
  result: { config: written(text(level)), notices: [], locate: inCommandLine } as LoadedConfig,
});
const withLevel = (level: "debug") => (config: Config) => ({
  ...config,
  errorLog: { ...config.errorLog, level },
});

test("the difference is what the reload then changes, and nothing is left of it afterwards", async () => {
  const { state, changes } = instance(good("error"));
  const difference = await changes.difference();
  expect(difference).toMatchObject({
    changes: [{ path: "errorLog.level", before: "warn", after: "error" }],
  });
  expect(state.config.errorLog.level).toBe("warn");
  expect(await changes.reload()).toEqual(difference);
  expect(state.config.errorLog.level).toBe("error");
  expect(await changes.difference()).toMatchObject({ changes: [] });
});

test("a wrong file changes nothing, and its problems come back with their places", async () => {
  const problem = {
    level: "emerg",
    message: "wrong",
    file: "gp.yaml",
    line: 2,
    column: 3,
  } as const;
  const { state, changes } = instance({ result: { errors: [problem], notices: [] } });
  expect(await changes.reload()).toMatchObject({ problems: [problem] });
  expect(state.config.errorLog.level).toBe("warn");
});

test("what cannot be applied is reported, and the next reload may apply it", async () => {
  const { state, changes } = instance(good("error"));
  state.fails = true;
  expect(await changes.reload()).toMatchObject({
    failed: expect.stringContaining("bind() failed"),
  });
  expect(await changes.change(withLevel("debug"))).toEqual(["bind() failed"]);
  expect(changes.written.errorLog.level).toBe("warn");
  state.fails = false;
  expect(await changes.reload()).toMatchObject({ changes: [{ after: "error" }] });
});

test("an operator's change is in force until the reload, which takes it back", async () => {
  const { state, changes } = instance(good("warn"));
  expect(await changes.change(withLevel("debug"))).toEqual([]);
  expect(state.config.errorLog.level).toBe("debug");
  expect(changes.written.errorLog.level).toBe("warn");
  expect(await changes.reload()).toMatchObject({ changes: [{ before: "debug", after: "warn" }] });
});

test("a change that the checks of a configuration refuse is not applied", async () => {
  const { state, changes } = instance(good("warn"));
  const problems = await changes.change((config) => ({
    ...config,
    servers: config.servers.map((server) => ({
      ...server,
      routes: server.routes.map((route) => ({ ...route, target: { pool: "none" } })),
    })),
  }));
  expect(problems[0]).toContain("none");
  expect(state.config.servers[0]!.routes[0]!.target).toEqual({ pool: "p" });
});

test("nothing changes while another process takes over", async () => {
  const { state, changes } = instance(good("error"));
  state.obstacle = "another process takes over";
  expect(await changes.change(withLevel("debug"))).toEqual(["another process takes over"]);
  expect(await changes.reload()).toEqual({ failed: "another process takes over", problems: [] });
  expect(state.config.errorLog.level).toBe("warn");
});

test("what a reload refuses is no difference: both name each place, of files that it refers to as well", async () => {
  const folder = mkdtempSync(join(tmpdir(), "global-proxy-"));
  const keyFile = join(folder, "keys");
  writeFileSync(keyFile, "sk-a-key-in-clear team\n");
  const yaml = text("error")
    .replace("p: {", "p: { apiKey: { env: GP_TEST_UNSET },")
    .concat(
      `auth: { keyFile: "${keyFile}" }\nadmin: { port: 0, token: { file: ${folder}/none } }\n`,
    );
  const parsed = parseYaml(yaml, "gp.yaml");
  if ("errors" in parsed) throw new Error(parsed.errors[0]!.message);
  const result = { config: parsed.config, notices: [], locate: parsed.locate };
  const { state, changes } = instance({ result });
  const difference = await changes.difference();
  expect(difference).toMatchObject({
    problems: [
      { message: expect.stringContaining("GP_TEST_UNSET"), file: "gp.yaml", line: 3 },
      { message: expect.stringContaining("sha256:"), file: keyFile, line: 1, column: 1 },
      { message: expect.stringContaining("none"), file: "gp.yaml", line: 8 },
    ],
  });
  expect(await changes.reload()).toEqual(difference);
  expect(state.config.errorLog.level).toBe("warn");
});

test("a file without any key is said before the reload, and by it", async () => {
  const keyFile = join(mkdtempSync(join(tmpdir(), "global-proxy-")), "keys");
  writeFileSync(keyFile, "# none yet\n");
  const { result } = good("error");
  const { changes } = instance({
    result: { ...result, config: { ...result.config, auth: authSchema.parse({ keyFile }) } },
  });
  const warnings = [expect.stringContaining("has no API keys")];
  expect(await changes.difference()).toMatchObject({ warnings });
  expect(await changes.reload()).toMatchObject({ warnings });
});

test("a change that fails by a defect fails alone: reloads go on", async () => {
  const { state, changes } = instance(good("error"));
  const defect = () => {
    throw new Error("a defect");
  };
  await expect(changes.change(defect)).rejects.toThrow("a defect");
  await changes.reload();
  expect(state.config.errorLog.level).toBe("error");
});
