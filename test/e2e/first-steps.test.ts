/** What a newcomer types first: flags, the demo, `convert`; each mistake is reported before anything listens. */
import { afterAll, describe, expect, test } from "vitest";
import { eventually } from "../support/eventually.ts";
import { ask, post } from "../support/http-client.ts";
import { freePorts } from "../support/ports.ts";
import { bunAndOneNode } from "../support/runtimes.ts";
import { seedConfig } from "../support/seed.ts";
import { sharedEngines } from "../support/shared-engines.ts";
import { Stack, totals } from "../support/stack.ts";

const path = "/v1/completions";

const { field, prefills, decodes } = sharedEngines(4, 4);

describe.each(bunAndOneNode("first-steps"))("on %s", (runtime) => {
  const stack = new Stack(runtime);

  afterAll(() => stack.end());

  test("demo --once prints one exchange through prefill and decode, and ends with 0", () => {
    const { code, stdout, stderr } = stack.run("demo", "--once");
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout).toMatch(/^prefill engines: (127\.0\.0\.1:\d+(, )?){4}\n/);
    expect(stdout).toMatch(/^decode engines: {2}(127\.0\.0\.1:\d+(, )?){4}\n/m);
    expect(stdout).toMatch(/^request: {2}POST http:\/\/127\.0\.0\.1:\d+\/v1\/completions\n/m);
    expect(stdout).toMatch(/^prefill: {2}127.*\ndecode: {3}127.*\nstatus: {3}200\nresponse: \S/m);
    expect(stdout).toMatch(/^TTFT: {5}\d+\.\d ms, 24 tokens in \d+ ms\nKV cache: transferred\n$/m);
  });

  test("demo serves, with a curl line that works, until it is ended", async () => {
    const command = stack.start("demo");
    await eventually(() => command.stdout.includes("curl -N"));
    const [, url, body] = /curl -N (http\S+) .* -d '(.*)'\n/.exec(command.stdout)!;
    expect(await post(url!, body!)).toMatchObject({ status: 200, end: "whole" });
    command.signal("SIGINT");
    expect(await command.exited).toBe(0);
  });

  test("flags serve both APIs, with the policies and the log that they name", async () => {
    const log = "access.log";
    const words = ["--prefill-policy", "round_robin", "--decode-policy", "random"];
    const { url, command } = await stack.startByFlags(
      prefills,
      decodes,
      ...[...words, "--access-log", log],
    );
    expect(command.stderr).toMatch(/\[notice\] \S+ on (Node|Bun) \S+, 1 worker, listening on http/);
    const before = await Promise.all(prefills.map((engine) => engine.state()));
    for (let count = 0; count < 4; count += 1) {
      expect((await post(url + path, { prompt: "Hello" })).status).toBe(200);
    }
    const states = await Promise.all(prefills.map((engine) => engine.state()));
    const gained = states.map((state, index) => state.requestsSeen - before[index]!.requestsSeen);
    expect(gained).toEqual([1, 1, 1, 1]);
    const messages = [{ role: "user", content: "Hello" }];
    expect((await post(`${url}/v1/chat/completions`, { messages })).status).toBe(200);
    expect(totals(await field.settled())).toMatchObject({ recomputed: 0, expired: 0 });
    command.signal("SIGQUIT");
    expect(await command.exited).toBe(0);
  });

  test("convert makes YAML that serves the same", async () => {
    const location = "set_request_id on;";
    const answers = [];
    for (const convert of [false, true]) {
      const { url, command } = await stack.serve(
        (port) => {
          const conf = seedConfig({ port, prefills, decodes, location });
          if (!convert) return conf;
          const { code, stdout } = stack.run("convert", stack.write("nginx.conf", conf));
          expect(code).toBe(0);
          return stdout;
        },
        convert ? "yaml" : "conf",
      );
      const headers = { "x-request-id": "same", "x-forwarded-for": "1.2.3.4" };
      const { status, body } = await post(url + path, { prompt: "Hello" }, { headers });
      const others = await Promise.all(
        ["/", "/v1/models", "/prefill_internal/v1/completions"].map((at) => ask(url + at)),
      );
      const all = await Promise.all(field.engines.map((engine) => engine.requests()));
      // What each leg got, however often.
      const sent = all.flat().map(({ rawHeaders, body: start }) => {
        const length = rawHeaders.indexOf("Content-Length");
        return [...rawHeaders.toSpliced(length, 2), start.slice(0, 30)].join("|");
      });
      const legs = [...new Set(sent.filter((one) => one.includes("1.2.3.4, 127.0.0.1")))].sort();
      answers.push({ status, body, others: others.map((other) => other.status), legs });
      command.signal("SIGTERM");
      expect(await command.exited).toBe(0);
    }
    expect(answers[0]).toMatchObject({ status: 200, others: [404, 404, 404] });
    expect(answers[0]!.legs).toHaveLength(2);
    expect(answers[1]).toEqual(answers[0]);
  });
});

describe("flags", () => {
  const stack = new Stack("node");
  afterAll(() => stack.end());

  test.each([
    [["--prefill", "127.0.0.1:1"], "--decode is missing"],
    [["--decode", "127.0.0.1:1", "--dialect", "omni"], "--prefill is missing"],
    [["--prefill", "http://a:1", "--decode", "ftp://b:1"], 'invalid URL "ftp://b:1" for --decode'],
    [["--prefill", "a", "--decode", "b:1"], "the port is missing"],
    [
      ["--prefill", "a:1", "--decode", "b:1", "--prefill-policy", "lengthbalance"],
      "length_balance",
    ],
    [["--prefill", "a:1", "--decode", "b:1", "--dialect", "onmi"], '"omni"'],
    [["--prefill", "a:1", "--decode", "b:1", "--workers", "0"], 'invalid number "0" for --workers'],
    [["--prefill", "a:1", "--decode", "b:1", "--listn", "1"], "--listen"],
    [["-c", "missing.yaml"], "missing.yaml"],
  ])("%j ends with 1, before it listens", async (words, message) => {
    const [port] = (await freePorts(1)) as [number];
    const flags = words[0] === "-c" ? [] : ["--listen", `127.0.0.1:${port}`];
    const { code, stdout, stderr } = stack.run(...words, ...flags);
    expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
    expect(stderr).toContain(message);
    expect(stderr).not.toContain("listening on");
  });
});
