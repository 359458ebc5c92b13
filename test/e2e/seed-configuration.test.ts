/** The seed's nginx.conf runs as it is: checks, routes, headers, log lines, and each `-s`, with nginx's exit codes. */
import { existsSync, readFileSync, renameSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { openRaw } from "../simulated-engine/raw-client.ts";
import type { RunningCommand } from "../support/command.ts";
import { eventually } from "../support/eventually.ts";
import { ask, post } from "../support/http-client.ts";
import { freePorts } from "../support/ports.ts";
import { bunAndOneNode } from "../support/runtimes.ts";
import { seedConfig } from "../support/seed.ts";
import { sharedEngines } from "../support/shared-engines.ts";
import { Stack, totals } from "../support/stack.ts";

const path = "/v1/completions";

const { field, prefills, decodes } = sharedEngines(4, 4);

describe.each(bunAndOneNode("seed-configuration"))("on %s", (runtime) => {
  const stack = new Stack(runtime);
  let port: number;
  let url: string;
  let conf: string;

  beforeAll(async () => {
    [port] = (await freePorts(1)) as [number];
    url = `http://127.0.0.1:${port}`;
    conf = stack.write("nginx.conf", seedConfig({ port, prefills, decodes }));
  });
  afterAll(() => stack.end());

  /** All have the same port, so that none may outlive its test. */
  const started: RunningCommand[] = [];
  afterEach(async () => {
    for (const command of started.splice(0)) await command.kill();
  });

  /** Starts it as the seed does, and waits until it serves. */
  async function serve(file = conf) {
    const command = stack.start("-c", file);
    started.push(command);
    await command.saysError(/listening on/);
    return command;
  }

  test("-t accepts it, and -T prints the effective configuration", () => {
    const checked = stack.run("-t", "-c", conf);
    expect(checked.code).toBe(0);
    expect(checked.stderr).toContain(`the configuration file ${conf} syntax is ok\n`);
    expect(checked.stderr).toContain(`configuration file ${conf} test is successful\n`);
    expect(checked.stderr).not.toMatch(/\[(emerg|warn|error)\]/);
    const dumped = stack.run("-T", "-c", conf);
    expect(dumped.code).toBe(0);
    for (const { port: engine } of [...prefills, ...decodes]) {
      expect(dumped.stdout).toContain(`127.0.0.1:${engine}`);
    }
    expect(dumped.stdout).toContain("name: length_balance");
  });

  test("-t reports a mistake with its place, and a start fails with the same", async () => {
    const text = readFileSync(conf, "utf8");
    const broken = stack.write("broken.conf", text.replace("length_balance;", "lenght_balance;"));
    const at = `${broken}:${text.split("\n").findIndex((line) => /length_balance;/.test(line)) + 1}`;
    for (const words of [["-t"], ["-T"], []]) {
      const { code, stdout, stderr } = stack.run(...words, "-c", broken);
      expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
      expect(stderr).toContain(`[emerg] unknown directive "lenght_balance" in ${at}`);
      expect(stderr).toContain('"length_balance"');
    }
  });

  test("serves completions by prefill and decode, with the headers that it sets, and nothing else", async () => {
    const command = await serve();
    const [mixed] = await stack.startEngines("mixed", 1);
    const id = `seen-${runtime}`;
    const headers = { host: "proxy.test:85", "x-request-id": id, "x-forwarded-for": "1.2.3.4" };
    for (const body of [{ prompt: "Hello" }, { prompt: "Hello", stream: true }]) {
      const expected = await post(mixed!.url + path, body, { headers });
      const response = await post(url + path, body, { headers });
      expect(response).toMatchObject({ status: 200, end: "whole", body: expected.body });
    }
    const all = await Promise.all(field.engines.map((engine) => engine.requests()));
    const seen = all.flat().filter(({ rawHeaders }) => rawHeaders.includes(id));
    expect(seen).toHaveLength(4);
    for (const { path: at, rawHeaders } of seen) {
      expect(at).toBe(path);
      const set = ["Host", "X-Real-IP", "X-Forwarded-For", "X-Forwarded-Proto", "X-Request-Id"];
      const values = set.map((name) => valuesOf(rawHeaders, name));
      expect(values).toEqual([
        ["proxy.test"],
        ["127.0.0.1"],
        ["1.2.3.4, 127.0.0.1"],
        ["http"],
        [id],
      ]);
    }
    const others = ["/", "/v1/chat/completions", "/prefill_internal/v1/completions", "/v1"];
    for (const other of others) {
      expect(await ask(url + other)).toMatchObject({ status: 404, end: "whole" });
    }
    expect(totals(await field.settled())).toMatchObject({ recomputed: 0, violations: 0 });
    expect(stack.run("-s", "stop", "-c", conf)).toEqual({ code: 0, stdout: "", stderr: "" });
    expect(await command.exited).toBe(0);
  });

  test("without headers of its own each engine is named as in nginx: by its upstream", async () => {
    const plain = readFileSync(conf, "utf8").replaceAll(/proxy_set_header.*;/g, "");
    const command = await serve(stack.write("plain.conf", plain));
    const seen = async () => {
      const all = await Promise.all(field.engines.map((engine) => engine.requests()));
      return all.flat().map(({ rawHeaders }) => valuesOf(rawHeaders, "Host").join());
    };
    const before = await seen();
    expect(await post(url + path, { prompt: "Hello" })).toMatchObject({ status: 200 });
    const after = await seen();
    const count = (hosts: string[], host: string) => hosts.filter((one) => one === host).length;
    for (const host of ["prefill_servers", "decode_servers"]) {
      expect(count(after, host) - count(before, host)).toBe(1);
    }
    command.signal("SIGTERM");
    expect(await command.exited).toBe(0);
  });

  test("writes access log lines as the seed's format says, and opens the file again", async () => {
    const log = join(stack.folder, "access.log");
    const http = `access_log ${log} main;`;
    const logging = stack.write("log.conf", seedConfig({ port, prefills, decodes, http }));
    const command = await serve(logging);
    const body = '{"prompt":"Hello","stream":true,"max_tokens":4}';
    const request =
      `POST ${path}?x=1 HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n` +
      `User-Agent: te"st\r\nReferer: http://r/\r\nX-Forwarded-For: 1.2.3.4\r\nConnection: close\r\n` +
      `Authorization: Basic ${btoa("ann:secret")}\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
    const client = await openRaw(url);
    client.socket.write(request);
    expect(await client.ended).toBe("end");
    const sent = client.text().length - client.text().indexOf("\r\n\r\n") - 4;
    await eventually(() => existsSync(log) && readFileSync(log, "utf8").endsWith("\n"));
    const line = readFileSync(log, "utf8");
    const used = decodes.find(({ port: number }) => line.includes(`:${number}"`));
    const [time] = /\[\d\d\/[A-Z][a-z]{2}\/20\d\d:\d\d:\d\d:\d\d [+-]\d{4}\]/.exec(line)!;
    expect(line).toBe(
      `127.0.0.1 - ann ${time} "POST ${path}?x=1 HTTP/1.1" 200 ${sent} "http://r/" "te\\x22st" ` +
        `"1.2.3.4" "upstream: 127.0.0.1:${used?.port}" "request_length: ${request.length}"\n`,
    );

    const moved = join(stack.folder, "moved.log");
    renameSync(log, moved);
    expect(stack.run("-s", "reopen", "-c", logging).code).toBe(0);
    await eventually(() => existsSync(log));
    await ask(`${url}${path}`, { headers: { "user-agent": "second" } });
    await eventually(() => readFileSync(log, "utf8").includes('"second" "-" "upstream: '));
    expect(readFileSync(moved, "utf8")).toBe(line);
    expect(stack.run("-s", "quit", "-c", logging)).toEqual({ code: 0, stdout: "", stderr: "" });
    expect(await command.exited).toBe(0);
  });

  test("-s reload puts another file in force, and a broken one changes nothing", async () => {
    const changing = stack.write("reload.conf", seedConfig({ port, prefills, decodes }));
    const command = await serve(changing);
    const change = (location: string) =>
      stack.write("reload.conf", seedConfig({ port, prefills, decodes, location }));
    change("return 418 new;");
    expect(stack.run("-s", "reload", "-c", changing)).toEqual({ code: 0, stdout: "", stderr: "" });
    await eventually(async () => (await post(url + path, { prompt: "a" })).status === 418);
    change("no_such_directive on;");
    expect(stack.run("-s", "reload", "-c", changing).code).toBe(1);
    command.signal("SIGHUP");
    await command.saysError(/\[emerg\][^\n]* unknown directive "no_such_directive"/);
    expect(await post(url + path, { prompt: "a" })).toMatchObject({ status: 418, body: "new" });
    change("");
    expect(stack.run("-s", "stop", "-c", changing).code).toBe(0);
    expect(await command.exited).toBe(0);
  });

  test("-s without an instance, and a port that is taken, are errors", async () => {
    const alone = stack.run("-s", "reload", "-c", conf);
    expect(alone.code).toBe(1);
    expect(alone.stderr).toMatch(/\[error\] .*pid/);
    const first = await serve();
    const other = stack.write("other.conf", readFileSync(conf, "utf8"));
    const second = stack.run("-c", other);
    expect(second.code).toBe(1);
    expect(second.stderr).toMatch(/\[emerg\] bind\(\) to 0\.0\.0\.0:\d+ failed \(98: /);
    expect((await post(url + path, { prompt: "a" })).status).toBe(200);
    first.signal("SIGQUIT");
    expect(await first.exited).toBe(0);
  });
});

function valuesOf(rawHeaders: readonly string[], name: string): string[] {
  const isName = (text: string) => text.toLowerCase() === name.toLowerCase();
  return rawHeaders.filter((_, index) => index % 2 === 1 && isName(rawHeaders[index - 1]!));
}
