/** What curl sends and how it reads: expectations, chunks, old versions, answers that stream, and the very bytes. */
import { spawn } from "node:child_process";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { hasProgram } from "../support/needs.ts";
import { bunAndOneNode } from "../support/runtimes.ts";
import { type Engine, type ServingProxy, Stack, totals } from "../support/stack.ts";
import { patienceMs } from "../support/times.ts";

interface Curled {
  readonly code: number;
  /** With `-i`: heads and body as they came. */
  readonly out: string;
  /** With `-v`: what curl prints about the exchange. */
  readonly reported: string;
}

function curl(args: readonly string[], input: string | Buffer = ""): Promise<Curled> {
  return new Promise((resolve) => {
    const child = spawn("curl", ["-sS", "--max-time", `${patienceMs / 1_000}`, ...args]);
    let out = "";
    let reported = "";
    child.stdout.setEncoding("utf8").on("data", (part) => {
      out += part;
    });
    child.stderr.setEncoding("utf8").on("data", (part) => {
      reported += part;
    });
    child.on("close", (code) => resolve({ code: code ?? -1, out, reported }));
    child.stdin.on("error", () => {});
    child.stdin.end(input);
  });
}

const json = ["-H", "Content-Type: application/json", "-H", "X-Request-Id: same"];
const small = JSON.stringify({ prompt: "Hello 東京", max_tokens: 12 });
const stream = JSON.stringify({ prompt: "Hello", stream: true });
const megabyte = JSON.stringify({ prompt: "a b ".repeat(262_144), max_tokens: 5, stream: true });

/** Without the head, and with line ends as they are. */
const bodyOf = (out: string) => out.slice(out.lastIndexOf("\r\n\r\n") + 4);

describe.skipIf(!hasProgram("curl")).each(bunAndOneNode("curl"))("on %s, with curl", (runtime) => {
  const stack = new Stack(runtime);
  let pair: Engine[];
  let direct: Engine;
  let proxy: ServingProxy;
  const path = "/v1/completions";

  beforeAll(async () => {
    const prefills = await stack.startEngines("prefill", 1);
    const decodes = await stack.startEngines("decode", 1);
    [direct] = (await stack.startEngines("mixed", 1)) as [Engine];
    pair = [...prefills, ...decodes];
    proxy = await stack.startByFlags(prefills, decodes);
  });
  afterAll(() => stack.end());

  test.each([
    ["as it is", [], small],
    ["streamed", ["-N"], stream],
    ["with an expectation and 1 MB", ["-H", "Expect: 100-continue"], megabyte],
    ["with 1 MB in chunks", ["-H", "Transfer-Encoding: chunked"], megabyte],
    [
      "with chunks and an expectation",
      ["-H", "Transfer-Encoding: chunked", "-H", "Expect: 100-continue"],
      megabyte,
    ],
    ["by HTTP/1.0", ["--http1.0"], small],
    ["by HTTP/1.0, streamed", ["--http1.0", "-N"], stream],
    ["by HTTP/1.0 with keep-alive", ["--http1.0", "-H", "Connection: keep-alive"], small],
    ["and closed after", ["-H", "Connection: close"], stream],
  ])("a request %s gets the answer of one engine", async (_name, args, body) => {
    const ask = (url: string) => curl([...json, ...args, "--data-binary", "@-", url + path], body);
    const [through, single] = await Promise.all([ask(proxy.url), ask(direct.url)]);
    expect(through).toMatchObject({ code: 0, reported: "" });
    expect(through.out).toBe(single.out);
    expect(through.out.length).toBeGreaterThan(100);
    expect(totals(await stack.settled(pair))).toMatchObject({ recomputed: 0, violations: 0 });
  });

  test("the expectation is met before the body is sent", async () => {
    const args = [
      ...json,
      "-v",
      "-H",
      "Expect: 100-continue",
      "--expect100-timeout",
      `${patienceMs / 1_000}`,
    ];
    const { code, reported } = await curl(
      [...args, "--data-binary", "@-", proxy.url + path],
      megabyte,
    );
    expect(code).toBe(0);
    expect(reported).toContain("< HTTP/1.1 100 Continue");
    expect(reported).toContain("< HTTP/1.1 200 OK");
  });

  test("a body that is too large is rejected instead of invited", async () => {
    const args = [
      "-i",
      "-v",
      "-H",
      "Expect: 100-continue",
      "--expect100-timeout",
      `${patienceMs / 1_000}`,
    ];
    const length = ["-H", `Content-Length: ${2 ** 27}`, "--data-binary", "@-"];
    const { out, reported } = await curl([...args, ...json, ...length, proxy.url + path], small);
    expect(out).toMatch(/^HTTP\/1\.1 413 /);
    expect(reported).not.toContain("100 Continue");
    expect(JSON.parse(bodyOf(out))).toMatchObject({ error: { code: "GP_BODY_TOO_LARGE" } });
  });

  test("several requests over one connection", async () => {
    const one = [...json, "--data-binary", small, proxy.url + path];
    const { code, out, reported } = await curl(["-v", ...one, "--next", "-sS", ...one]);
    expect(code).toBe(0);
    expect(out).toHaveLength((await curl(one)).out.length * 2);
    expect(reported).toMatch(/Re-using existing connection/);
  });

  test("HEAD and OPTIONS get their responses, and the connection stays in step", async () => {
    const head = await curl(["-I", `${proxy.url}/health`, "--next", "-sS", `${proxy.url}/version`]);
    expect(head.code).toBe(0);
    expect(head.out).toMatch(/^HTTP\/1\.1 405 [\s\S]*simulated/);
    const options = await curl(["-i", "-X", "OPTIONS", proxy.url + path]);
    expect(options.out).toMatch(/^HTTP\/1\.1 405 /);
  });
});
