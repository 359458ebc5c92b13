/** What operators do from a shell at a running proxy: each command does it, says so, and has the right exit code. */
import { execFileSync } from "node:child_process";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { adminRoutes } from "../../src/control/admin/routes.ts";
import { eventually } from "../support/eventually.ts";
import { ask, post } from "../support/http-client.ts";
import { hasProgram } from "../support/needs.ts";
import { problemsOf } from "../support/openapi.ts";
import { pdYaml } from "../support/pd-yaml.ts";
import { freePorts } from "../support/ports.ts";
import { environmentFor, oneRuntime } from "../support/runtimes.ts";
import { type Engine, type ServingProxy, Stack } from "../support/stack.ts";

const token = "a-token-of-this-test";

describe.each(oneRuntime("admin-cli"))("on %s", (runtime) => {
  const stack = new Stack(runtime);
  let engines: Engine[];
  let proxy: ServingProxy;
  let admin: string;
  let file: string;
  let text: string;
  /** With the configuration's file, which says where the listener is and what its token is. */
  const run = (...words: string[]) => stack.run(...words, "-c", file);
  const json = (...words: string[]) =>
    JSON.parse(run(...words, "--json").stdout) as Record<string, unknown>;

  beforeAll(async () => {
    const [prefill, decode] = await Promise.all([
      stack.startEngines("prefill", 1),
      stack.startEngines("decode", 1),
    ]);
    engines = [prefill[0]!, decode[0]!];
    const [adminPort] = (await freePorts(1)) as [number];
    const tokenFile = stack.write("token", `${token}\n`);
    proxy = await stack.serve((port) => {
      file = `${stack.folder}/${port}.yaml`;
      text = pdYaml({
        port,
        top: `admin: { port: ${adminPort}, token: { file: ${tokenFile} } }\nerrorLog: { level: notice }`,
        prefill: { engines: prefill, policy: "predictive" },
        decode: { engines: decode },
      });
      return text;
    });
    admin = `http://127.0.0.1:${adminPort}`;
    const headers = { "x-request-id": "cli-1" };
    await post(`${proxy.url}/v1/completions`, { prompt: "hello", max_tokens: 2 }, { headers });
    await ask(`${proxy.url}/no/%C2%9B%E2%80%AE`, { headers: { "x-request-id": "cli-2" } });
  });
  afterAll(() => stack.end());

  test("status, engines, requests and explain say how it is", () => {
    const status = run("status");
    expect(status).toMatchObject({ code: 0, stdout: expect.stringMatching(/ok, 1 of 1 workers/) });
    expect(run("engines").stdout).toContain(`127.0.0.1:${engines[0]!.port}`);
    expect(run("engines", "--pool", "none").stderr).toMatch(
      /no pool "none": the pools are prefill, decode/,
    );
    expect(run("requests").stdout).toMatch(/cli-1 .* GP_OK/);
    const failed = run("requests", "--list", "failed").stdout;
    expect(failed).toMatch(
      /^no requests\n\(not listed here: 1 request that was its client's fault/,
    );
    expect(run("requests", "--list", "client-faults").stdout).toMatch(/cli-2 .* 404 /);
    const explained = run("explain", "cli-1");
    expect(explained.stdout).toMatch(/^cli-1: GP_OK 200\n/);
    expect(explained.stdout).toContain(`decode: 127.0.0.1:${engines[1]!.port} of pool decode`);
    expect(json("explain", "cli-1")).toMatchObject({ requestId: "cli-1", outcome: "GP_OK" });
    const hostile = "/no/\u009b\u202e";
    expect(run("explain", "cli-2").stdout).toContain("\n/no/\\x9B\\u202E at ");
    expect(run("explain", "cli-2", "--json").stdout).toContain("/no/\\u009B\\u202E");
    expect(json("explain", "cli-2")).toMatchObject({ path: hostile });
    expect(run("explain", "other")).toMatchObject({
      code: 1,
      stderr: expect.stringContaining("no record"),
    });
  });

  test("a reload says what it changes before and after, and a wrong file changes nothing", () => {
    const diff = () => run("config", "diff", "--exit-code");
    expect(diff()).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^a reload would change nothing\n/),
    });
    stack.write(`${proxy.port}.yaml`, `${text}\ndrainTimeoutMs: 77\n`);
    const change = "~ drainTimeoutMs: 0 -> 77\n";
    expect(diff()).toMatchObject({ code: 3, stdout: expect.stringContaining(change) });
    expect(run("reload")).toMatchObject({ code: 0, stdout: expect.stringContaining(change) });
    expect(diff()).toMatchObject({ code: 0 });
    stack.write(`${proxy.port}.yaml`, `${text}\ndrainTimeoutMs: soon\n`);
    // The file cannot say where the listener is any more.
    const refused = stack.run("reload", "--admin", admin, "--token-file", `${stack.folder}/token`);
    expect(refused.code).toBe(1);
    expect(refused.stderr).toMatch(/drainTimeoutMs must be .* in \S+\.yaml:\d+:\d+/);
    stack.write(`${proxy.port}.yaml`, `${text}\ndrainTimeoutMs: 77\n`);
    expect(json("config", "show")).toMatchObject({ drainTimeoutMs: 77 });
  });

  test("the log's level and the policy are others until the reload", async () => {
    expect(run("log-level").stdout).toBe("notice\n");
    expect(run("log-level", "debug").stdout).toBe("debug (notice after the next reload)\n");
    await proxy.command.saysError(/an operator has changed errorLog\.level until the next reload/);
    const url = `${admin}/admin/pools/prefill/policy`;
    const put = (body: string) =>
      ask(url, { method: "PUT", body, headers: { authorization: `Bearer ${token}` } });
    const set = await put('"least_conn"');
    expect(JSON.parse(set.body)).toMatchObject({
      policy: { name: "least_conn" },
      replaced: { name: "predictive" },
    });
    const [{ policy }] = (json("engines")["pools"] as [{ policy: string }]) ?? [];
    expect(policy).toBe("least_conn");
    const response = await post(`${proxy.url}/v1/completions`, { prompt: "more", max_tokens: 1 });
    expect(response.status).toBe(200);
    expect((await put('"least_con"')).body).toContain("did you mean");
    expect(run("config", "diff").stdout).toContain("pools.prefill.policy.name");
    expect(run("reload").code).toBe(0);
    expect(run("log-level").stdout).toBe("notice\n");
  });

  test("what is wrong is said in plain words, with an exit code", async () => {
    const wrong = stack.write("wrong", "another-token");
    const refused = stack.run("status", "--admin", admin, "--token-file", wrong);
    expect(refused).toMatchObject({ code: 1, stderr: expect.stringMatching(/refuses the token/) });
    const [free] = (await freePorts(1)) as [number];
    const nobody = stack.run("status", "--admin", `127.0.0.1:${free}`);
    expect(nobody).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/no answer of .*refused/),
    });
    const nowhere = stack.run("status");
    expect(nowhere.stderr).toMatch(/Say --admin, -c FILE or GLOBAL_PROXY_ADMIN/);
    const client = stack.run("status", "--admin", proxy.url);
    expect(client).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/admin listener|older/),
    });
  });

  test("each response is as the document says", async () => {
    const headers = { authorization: `Bearer ${token}` };
    const problems: string[] = [];
    const values: Readonly<Record<string, string>> = {
      pool: "prefill",
      engine: `127.0.0.1:${engines[0]!.port}`,
      requestId: "cli-1",
    };
    // Streams and files have no JSON.
    const read = adminRoutes.filter(
      ({ method, responses, group }) =>
        method === "GET" && group !== ("dashboard" as string) && typeof responses[200] !== "string",
    );
    expect(read.length).toBeGreaterThan(12);
    for (const { path } of read) {
      const url = admin + path.replace(/\{(\w+)\}/g, (_, name: string) => values[name] ?? "none");
      const response = await ask(url, { headers });
      expect(response.status, path).toBe(200);
      problems.push(...problemsOf("GET", path, response));
    }
    const change = async (method: string, path: string, target: string, body = "") =>
      problems.push(
        ...problemsOf(method, path, await ask(admin + target, { method, headers, body })),
      );
    const pool = "/admin/pools/{pool}";
    const engine = `${pool}/engines/{engine}`;
    await change("POST", "/admin/reload", "/admin/reload");
    await change("PUT", "/admin/log-level", "/admin/log-level", '{"level":"info"}');
    await change("PUT", "/admin/log-level", "/admin/log-level", '{"level":"loud"}');
    await change("PUT", `${pool}/shadow`, "/admin/pools/prefill/shadow", '"llm_d"');
    await change("GET", "/admin/shadow", "/admin/shadow");
    await change("DELETE", `${pool}/shadow`, "/admin/pools/prefill/shadow");
    await change("DELETE", `${pool}/policy`, "/admin/pools/none/policy");
    const at = `/admin/pools/decode/engines/127.0.0.1:${engines[1]!.port}`;
    await change("POST", `${engine}/drain`, `${at}/drain`);
    await change("POST", `${engine}/undrain`, `${at}/undrain`);
    await change("DELETE", engine, at);
    const all = '{"pool":"decode","path":"/reset_prefix_cache"}';
    await change("POST", "/admin/engines/broadcast", "/admin/engines/broadcast", all);
    expect(problems).toEqual([]);
    const unrouted = await ask(`${admin}/admin/explain/cli-2`, { headers });
    expect(JSON.parse(unrouted.body)).toMatchObject({ status: 404, message: expect.any(String) });
  });

  test("top without a terminal prints one page", () => {
    const page = run("top");
    expect(page.code).toBe(0);
    expect(page.stdout).toMatch(/requests\/s/);
    expect(page.stdout).not.toContain("\u001b");
  });

  test.skipIf(!hasProgram("tmux"))(
    "top in a terminal is live, sorts, resizes, and quits with q",
    async () => {
      const socket = `${stack.folder}/tmux`;
      const env = { ...environmentFor(runtime), TERM: "xterm", NO_COLOR: "1", LC_ALL: "C.UTF-8" };
      const tmux = (...words: string[]) =>
        execFileSync("tmux", ["-S", socket, ...words], { encoding: "utf8", env });
      const page = () => tmux("capture-pane", "-p", "-t", "top");
      const command = `${process.cwd()}/bin/global-proxy top -c ${file} --interval 0.2; echo ended with $?; sleep 60`;
      tmux("-f", "/dev/null", "new-session", "-d", "-s", "top", "-x", "100", "-y", "30", command);
      try {
        await eventually(async () => /\d requests\/s/.test(page()));
        expect(page()).toContain(`127.0.0.1:${engines[0]!.port}`);
        tmux("send-keys", "-t", "top", "f");
        await eventually(async () => page().includes("(now failures)"));
        tmux("resize-window", "-t", "top", "-x", "60", "-y", "8");
        await eventually(async () => page().includes("…"));
        tmux("send-keys", "-t", "top", "q");
        await eventually(async () => page().includes("ended with 0"));
        expect(page()).not.toContain("requests/s");
      } finally {
        tmux("kill-server");
      }
    },
  );
});
