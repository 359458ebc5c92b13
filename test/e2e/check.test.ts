/** `global-proxy check` as an operator runs it: what is right is called right, and each fault is found and named. */
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test as plain } from "vitest";
import type { EngineOptions } from "../../src/simulated-engine/options.ts";
import {
  CheckBench,
  type CheckedReport,
  checkReport,
  codesOf,
  runCheck,
  startCheck,
} from "../support/check.ts";
import { eventually } from "../support/eventually.ts";
import { freePorts } from "../support/ports.ts";
import { bunAndOneNode, oneRuntime, type RuntimeName } from "../support/runtimes.ts";
import { scaled } from "../support/times.ts";

const [runtime] = oneRuntime("check") as [RuntimeName];

/** Each has a bench of its own: they mostly wait, so they run side by side. */
const test = plain.extend<{ readonly bench: CheckBench }>({
  // biome-ignore lint/correctness/noEmptyPattern: vitest reads from the pattern which fixtures this one needs.
  bench: async ({}, use) => {
    const bench = new CheckBench();
    await use(bench);
    await bench.end();
  },
}).concurrent;

/** Long enough for a slow machine, where nothing is to time out; short where something is. */
const patient = ["--step-timeout", "60", "--abort-wait", "60"];
const soon = Math.ceil(scaled(2_000) / 1_000);
const impatient = ["--step-timeout", `${soon}`, "--abort-wait", `${soon}`];

async function pair(bench: CheckBench, more: Partial<EngineOptions> = {}, decodes = 1) {
  const prefill = await bench.engine({ role: "prefill", dialect: "vllm-nixl", ...more });
  const decode = await Promise.all(
    Array.from({ length: decodes }, () =>
      bench.engine({ role: "decode", dialect: "vllm-nixl", ...more }),
    ),
  );
  const words = ["--prefill", prefill.url, "--decode", ...decode.map(({ url }) => url)];
  return { prefill, decodes: decode, decode: decode[0]!, words };
}

describe.each(bunAndOneNode("check"))("healthy engines on %s", (name) => {
  test("one prefill and two decode engines: nothing is wrong, and each KV cache is seen to move", async ({
    bench,
  }) => {
    const [port, replay] = (await freePorts(2)) as [number, number];
    const options = { dialect: "vllm-nixl", devMode: true, prefixCache: true };
    const prefill = await bench.engine({
      ...options,
      role: "prefill",
      kvEvents: port,
      kvReplay: replay,
    });
    const decodes = await Promise.all(
      [1, 2].map(() => bench.engine({ ...options, role: "decode" })),
    );
    const urls = decodes.map(({ url }) => url);
    const words = ["--prefill", prefill.url, "--decode", ...urls];
    const events = ["--kv-events", `${port}:${replay}`];
    const report = await checkReport(name, [...words, ...events, ...patient]);
    expect(codesOf(report, "fail", "warn", "skip")).toEqual([]);
    expect(codesOf(report, "ok")).toEqual([
      "aborts.free",
      "advice.none",
      "answers.same",
      "dialect.known",
      "kv-events.heard",
      "kv-events.replayed",
      "models.agree",
      "models.listed",
      "proxy.serves",
      "reach.ok",
      "side-channel.told",
      "signals.live",
      "transfer.moved",
    ]);
    expect(report).toMatchObject({ exitCode: 0, good: true, dialect: "vllm-nixl" });
    // Each decode engine has been in a pair, and what the proxy did was by the protocol.
    for (const engine of [prefill, ...decodes]) {
      expect(engine.state()).toMatchObject({ protocolViolations: 0, held: 0, running: 0 });
    }
    for (const decode of decodes) expect(decode.state().remotePrefills).toBeGreaterThan(0);
  });
});

describe("healthy engines of other dialects", () => {
  const folder = mkdtempSync(join(tmpdir(), "gp-check-"));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  test.for<readonly [dialect: string, more: readonly string[], moved: string]>([
    ["omni", ["--dialect", "omni"], "transfer.moved"],
    ["vllm-ascend", ["--dialect", "vllm-ascend"], "transfer.moved"],
    [`shared-storage:path=${folder}`, ["--dialect", "shared-storage"], "transfer.moved"],
    ["sglang", [], "transfer.implied"],
    ["trtllm", [], "transfer.implied"],
  ])("%s", async ([dialect, more, moved], { bench }) => {
    // What clients have left behind is free after that, also where nothing but time frees it.
    const { words, prefill, decode } = await pair(bench, { dialect, kvLeaseMs: scaled(2_000) });
    const report = await checkReport(runtime, [...words, ...more, ...patient]);
    expect(codesOf(report, "fail", "warn")).toEqual([]);
    expect(codesOf(report, "ok")).toContain(moved);
    expect(report.exitCode).toBe(0);
    for (const engine of [prefill, decode]) expect(engine.state().violations).toEqual([]);
  });

  test("one engine that does both", async ({ bench }) => {
    const engine = await bench.engine({ role: "mixed", dialect: "vllm-nixl" });
    const report = await checkReport(runtime, ["--engine", engine.url, ...patient]);
    expect(codesOf(report, "fail", "warn")).toEqual([]);
    expect(codesOf(report, "ok")).toEqual(expect.arrayContaining(["answers.same", "aborts.free"]));
    expect(report.exitCode).toBe(0);
  });
});

describe("engines that seem to work", () => {
  const failsOf = async (words: readonly string[], ...more: string[]) => {
    const report = await checkReport(runtime, [...words, ...patient, ...more]);
    expect(report.exitCode).toBe(1);
    return codesOf(report, "fail");
  };

  test("the wrong dialect: each prompt is computed twice, and every response is right", async ({
    bench,
  }) => {
    const { words } = await pair(bench, { devMode: true, prefixCache: true });
    const fails = await failsOf(words, "--dialect", "shared-storage");
    expect(fails).toEqual(["dialect.wrong", "transfer.recomputed"]);
  });

  test("a prefill whose KV cache nobody fetches", async ({ bench }) => {
    const { words, prefill } = await pair(bench);
    prefill.setFault("no-kv-params");
    expect(await failsOf(words)).toEqual(["transfer.recomputed"]);
  });

  test("two folders where one is to be shared", async ({ bench }) => {
    const folder = mkdtempSync(join(tmpdir(), "gp-check-"));
    bench.later(async () => rmSync(folder, { recursive: true, force: true }));
    const path = (name: string) => `shared-storage:path=${join(folder, name)}`;
    const prefill = await bench.engine({ role: "prefill", dialect: path("a"), devMode: true });
    const decode = await bench.engine({ role: "decode", dialect: path("b"), devMode: true });
    const words = ["--prefill", prefill.url, "--decode", decode.url];
    expect(await failsOf(words)).toEqual(["transfer.recomputed"]);
  });

  test("KV caches that stay when clients leave", async ({ bench }) => {
    const { words, decode } = await pair(bench);
    decode.setFault("leak");
    const report = await checkReport(runtime, [...words, ...patient, "--abort-wait", `${soon}`]);
    expect(codesOf(report, "fail")).toEqual(["aborts.held"]);
    const held = report.findings.filter(({ code }) => code === "aborts.held");
    expect(held.map(({ about }) => about)).toEqual([`decode 127.0.0.1:${decode.port}`]);
    expect(report.exitCode).toBe(1);
  });

  test("KV caches that prefill holds for its own time are no leak before it is over", async ({
    bench,
  }) => {
    // A prefill takes long enough for clients to leave in it.
    const { words, prefill } = await pair(bench, { prefillTokensPerSecond: 4_000 });
    prefill.setFault("leak");
    const more = ["--abort-wait", `${soon}`];
    const report = await checkReport(runtime, [...words, ...patient, ...more]);
    const held = report.findings.filter(({ code }) => code.startsWith("aborts."));
    const found = held.find(({ about }) => about.startsWith("prefill"));
    // On a machine that is busy, no client may have left in time.
    const isHeld = prefill.state().leakedTokens > 0;
    expect(found?.code).toBe(isHeld ? "aborts.leased" : "aborts.free");
    expect(found?.remedy?.includes("480 s") ?? false).toBe(isHeld);
  });

  test("engines whose models differ", async ({ bench }) => {
    const prefill = await bench.engine({ role: "prefill", dialect: "vllm-nixl", model: "a" });
    const decode = await bench.engine({ role: "decode", dialect: "vllm-nixl", model: "b" });
    const fails = await failsOf(["--prefill", prefill.url, "--decode", decode.url]);
    // Nothing is sent that could only fail.
    expect(fails).toEqual(["models.differ"]);
    expect(prefill.state().requestsSeen + decode.state().requestsSeen).toBe(0);
  });

  test("prefill and decode that have changed places", async ({ bench }) => {
    const { prefill, decode } = await pair(bench, { devMode: true });
    const report = await checkReport(runtime, [
      ...["--prefill", decode.url, "--decode", prefill.url],
      ...impatient,
    ]);
    expect(codesOf(report, "fail")).toEqual(
      expect.arrayContaining(["advice.kv-consumer-prefills", "advice.kv-producer-decodes"]),
    );
    expect(report.exitCode).toBe(1);
  });

  test("engines without counters: nothing is claimed of what cannot be seen", async ({ bench }) => {
    const { words, prefill, decode } = await pair(bench);
    for (const engine of [prefill, decode]) engine.setFault("status:404,path=/metrics");
    const report = await checkReport(runtime, [...words, ...patient]);
    expect(codesOf(report, "fail")).toEqual([]);
    expect(codesOf(report, "warn")).toEqual(
      expect.arrayContaining(["signals.none", "transfer.not-shown"]),
    );
    expect(codesOf(report, "skip")).toContain("aborts.not-shown");
  });

  test("a response that is another one through the proxy, and one that is another each time", async ({
    bench,
  }) => {
    const said = (text: string) =>
      JSON.stringify({
        choices: [{ text, message: { content: text }, finish_reason: "length" }],
        usage: { prompt_tokens: 3, completion_tokens: 1 },
      });
    const scripted = (next: (count: number) => string) => {
      let count = 0;
      return bench.server((request, response) => {
        request.resume();
        const isPost = request.method === "POST";
        response.setHeader("content-type", "application/json");
        response.end(isPost ? said(next(count++)) : '{"object":"list","data":[{"id":"m"}]}');
      });
    };
    // Of each kind the first is through the proxy, then two are direct.
    const other = await scripted((count) => (count % 3 === 0 ? "one" : "two"));
    expect(await failsOf(["--engine", other])).toContain("answers.differ");
    const random = await scripted((count) => `${count}`);
    const report = await checkReport(runtime, ["--engine", random, ...patient]);
    expect(codesOf(report, "warn")).toContain("answers.not-deterministic");
    expect(codesOf(report, "fail")).not.toContain("answers.differ");
    // What makes it is of no account where one engine does all.
    expect(codesOf(report, "ok")).toContain("dialect.plain");
  });
});

describe("KV events", () => {
  test("nothing listens at the port that is said", async ({ bench }) => {
    const { words } = await pair(bench);
    const [port] = (await freePorts(1)) as [number];
    const more = ["--kv-events", `${port}`, ...patient, "--step-timeout", `${soon}`];
    const report = await checkReport(runtime, [...words, ...more]);
    expect(codesOf(report, "fail")).toEqual(["kv-events.unreachable"]);
  });

  test("no replay: it is said when no port is given, and when nothing is there", async ({
    bench,
  }) => {
    const [port, replay] = (await freePorts(2)) as [number, number];
    const prefill = await bench.engine({ role: "prefill", dialect: "vllm-nixl", kvEvents: port });
    const decode = await bench.engine({ role: "decode", dialect: "vllm-nixl" });
    const words = ["--decode", decode.url, "--prefill", prefill.url];
    const without = await checkReport(runtime, [...words, "--kv-events", `${port}`, ...patient]);
    expect(codesOf(without, "fail")).toEqual([]);
    expect(codesOf(without, "warn")).toContain("kv-events.no-replay");
    words.splice(
      2,
      2,
      "--prefill",
      `${prefill.url}?kv_events_port=${port}&kv_replay_port=${replay}`,
    );
    const dead = await checkReport(runtime, [...words, ...patient, "--step-timeout", `${soon}`]);
    expect(codesOf(dead, "fail")).toEqual(["kv-events.replay-unreachable"]);
  });
});

describe("what is no engine, or not there", () => {
  const reachOf = async (url: string, ...more: string[]) => {
    const { findings, exitCode } = await checkReport(runtime, [
      ...["--engine", url],
      ...impatient,
      ...more,
    ]);
    return { code: findings.find(({ code }) => code.startsWith("reach."))?.code, exitCode };
  };

  test("a closed port", async () => {
    const [port] = (await freePorts(1)) as [number];
    expect(await reachOf(`http://127.0.0.1:${port}`)).toEqual({
      code: "reach.refused",
      exitCode: 1,
    });
  });

  test("a server that accepts and never responds, and one that speaks something else", async ({
    bench,
  }) => {
    for (const [greeting, code] of [
      ["", "reach.timeout"],
      ["SSH-2.0-OpenSSH_9.6\r\n", "reach.not-http"],
    ] as const) {
      const sockets = new Set<import("node:net").Socket>();
      const server = createServer((socket) => {
        sockets.add(socket);
        socket.on("error", () => {});
        socket.write(greeting);
      });
      await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
      bench.later(async () => {
        for (const socket of sockets) socket.destroy();
        server.close();
      });
      const { port } = server.address() as import("node:net").AddressInfo;
      expect(await reachOf(`127.0.0.1:${port}`)).toEqual({ code, exitCode: 1 });
    }
  });

  test("a web site, a redirect, and an engine that wants a key", async ({ bench }) => {
    const site = await bench.server((_request, response) => response.end("<html>"));
    expect(await reachOf(site)).toEqual({ code: "reach.no-engine", exitCode: 1 });
    const moved = await bench.server((_request, response) => {
      response.writeHead(307, { location: "https://elsewhere.example/v1/models" }).end();
    });
    expect(await reachOf(moved)).toEqual({ code: "reach.redirect", exitCode: 1 });
    const locked = await bench.server((request, response) => {
      const isRight = request.headers.authorization === "Bearer secret-1";
      response.writeHead(isRight ? 200 : 401, { "content-type": "application/json" });
      response.end(isRight ? '{"object":"list","data":[{"id":"m"}]}' : '{"error":"Unauthorized"}');
    });
    expect((await reachOf(locked)).code).toBe("reach.unauthorized");
    const words = ["--engine", locked, "--api-key-env", "CHECK_KEY", ...impatient];
    const report = await checkReport(runtime, words, { CHECK_KEY: "secret-1" });
    expect(codesOf(report, "ok")).toContain("reach.ok");
    // The proxy hands it on, and nobody prints it.
    expect(JSON.stringify(report)).not.toMatch(/401|secret-1/);
  });

  test("an engine that dies and one that hangs beside those that serve are named, and the others tried", async ({
    bench,
  }) => {
    const { words, prefill, decodes } = await pair(bench, {}, 2);
    await decodes[1]!.close();
    const report = await checkReport(runtime, [...words, ...patient]);
    expect(codesOf(report, "fail")).toEqual(["reach.refused"]);
    expect(codesOf(report, "ok")).toContain("transfer.moved");
    prefill.setFault("stall");
    const hung = await checkReport(runtime, [...words, ...impatient]);
    expect(codesOf(hung, "fail")).toEqual(expect.arrayContaining(["transfer.failed"]));
    expect(hung.exitCode).toBe(1);
  });

  test("the whole run has an end, however much hangs", async ({ bench }) => {
    const { words, prefill } = await pair(bench);
    prefill.setFault("stall");
    const report = await checkReport(runtime, [...words, "--timeout", `${2 * soon}`]);
    expect(codesOf(report, "fail").some((code) => code.endsWith(".no-time"))).toBe(true);
  });
});

test("Ctrl-C ends it at once, with what has been found, and leaves nothing behind", async ({
  bench,
}) => {
  const folder = mkdtempSync(join(tmpdir(), "gp-check-"));
  bench.later(async () => rmSync(folder, { recursive: true, force: true }));
  const { words, prefill } = await pair(bench);
  prefill.setFault("stall");
  const command = startCheck(runtime, [...words, ...patient, "--json"], { TMPDIR: folder });
  await eventually(() => prefill.state().running + prefill.state().waiting > 0);
  command.signal("SIGINT");
  expect(await command.exited).toBe(1);
  const report = JSON.parse(command.stdout) as CheckedReport;
  expect(codesOf(report, "fail")).toContain("check.stopped");
  expect(codesOf(report, "ok")).toContain("reach.ok");
  // A folder of its own, since others may check something at the same time.
  expect(readdirSync(folder)).toEqual([]);
});

describe("usage", () => {
  test.for<readonly [words: readonly string[], says: string]>([
    [[], "no engine is named"],
    [["--prefill", "http://127.0.0.1:1"], "--decode is missing"],
    [["--engine", "ftp://127.0.0.1:1"], "not ftp"],
    [["--engine", "http://127.0.0.1:1", "--dialect", "nixl"], 'did you mean "vllm-nixl"'],
    [["--engine", "http://127.0.0.1:1", "--header", "nonsense"], "NAME: VALUE"],
    [["--engine", "http://127.0.0.1:1", "--timeout", "0"], "whole number of seconds"],
    [["--engine", "http://127.0.0.1:1", "--api-key-env", "NOT_SET_ANYWHERE"], "is not set"],
    [["--nonsense"], "unknown option"],
  ])("%j ends with 2 and says why", async ([words, says]) => {
    const { code, stdout, stderr } = await runCheck(runtime, words);
    expect(stderr).toContain(says);
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
  });

  test("the text says what will happen, what was found and what to do, without colours in a pipe", async () => {
    const [port] = (await freePorts(1)) as [number];
    const { code, stdout } = await runCheck(runtime, ["--engine", `127.0.0.1:${port}`]);
    expect(code).toBe(1);
    expect(stdout).toMatch(/^Nothing is changed at the engines/);
    expect(stdout).toContain("✗ failed  reach");
    expect(stdout).toContain("→ is the engine running");
    expect(stdout).not.toContain("\x1b");
  });
});
