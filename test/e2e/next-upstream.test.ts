/**
 * `proxy_next_upstream` means what it means in nginx: each of its conditions, with each way in which an engine fails,
 * reaches the same engines, and the client sees the same status, as with the installed nginx.
 */
import { mkdirSync } from "node:fs";
import { request } from "node:http";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { RunningCommand } from "../support/command.ts";
import { eventually } from "../support/eventually.ts";
import { FailingEngines, type WayToFail, waysToFail } from "../support/failing-engines.ts";
import { hasProgram } from "../support/needs.ts";
import { freePorts } from "../support/ports.ts";
import { oneRuntime } from "../support/runtimes.ts";
import { Stack } from "../support/stack.ts";
import { scaled } from "../support/times.ts";

const conditions = [
  "error",
  "timeout",
  "invalid_header",
  "http_500",
  "http_502",
  "http_503",
  "http_504",
  "http_429",
  "http_403",
  "http_404",
  "off",
  "error timeout",
  "error timeout http_500 non_idempotent",
  "error timeout invalid_header http_500 http_502 http_503 http_504 http_429 http_403 http_404",
] as const;

interface Case {
  readonly path: string;
  readonly condition: (typeof conditions)[number];
  readonly method: "GET" | "POST";
  readonly way: WayToFail;
  /** The second engine fails in the same way. */
  readonly isHopeless: boolean;
}

const cases: readonly Case[] = conditions
  .flatMap((condition) => waysToFail.map((way) => ({ condition, way })))
  .flatMap((one) => (["GET", "POST"] as const).map((method) => ({ ...one, method })))
  .flatMap((one) => [false, true].map((isHopeless) => ({ ...one, isHopeless })))
  .map((one, index) => ({ ...one, path: `/c${index}` }));

/** A pool of its own for each case, so that none of them sees what became of another. */
function httpBlock(engines: FailingEngines, port: number): string {
  const upstreams = cases.map(({ way, isHopeless }, index) => {
    const ports = [`${way} 1`, isHopeless ? `${way} 2` : "well"].map((name) =>
      engines.portOf(name),
    );
    return `upstream u${index} { ${ports.map((one) => `server 127.0.0.1:${one};`).join(" ")} }`;
  });
  const locations = cases.map(({ path, condition, way }, index) => {
    const timeout = way === "hangs" ? `proxy_read_timeout ${scaled(500)}ms;` : "";
    const next = `proxy_next_upstream ${condition};`;
    return `location = ${path} { proxy_pass http://u${index}; ${next} ${timeout} }`;
  });
  const server = `server { listen 127.0.0.1:${port}; ${locations.join("\n")} }`;
  return `http { access_log off; ${upstreams.join("\n")}\n${server} }`;
}

/** @returns the status, or 0 where there was none */
function ask(port: number, { method, path }: Case): Promise<number> {
  return new Promise((resolve) => {
    const options = { host: "127.0.0.1", port, path, method, agent: false as const };
    const sent = request(options, (response) => {
      response.resume();
      response.on("close", () => resolve(response.statusCode ?? 0));
    });
    sent.on("error", () => resolve(0));
    sent.end(method === "POST" ? '{"a":1}' : undefined);
  });
}

/** Those that wait for a time-out last, when nothing else keeps this process from responding in time. */
async function askAll(port: number): Promise<number[]> {
  const statuses: number[] = [];
  for (const hangs of [false, true]) {
    await Promise.all(
      cases.map(async (one, index) => {
        if ((one.way === "hangs") === hangs) statuses[index] = await ask(port, one);
      }),
    );
  }
  return statuses;
}

const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
  .map((kind) => `${kind}_temp_path temp_${kind};`)
  .join(" ");

describe.skipIf(!hasProgram("nginx")).each(oneRuntime("next-upstream"))("on %s", (runtime) => {
  const stack = new Stack(runtime);
  const engines = new FailingEngines();
  let nginx: RunningCommand | undefined;
  const ports: number[] = [];

  beforeAll(async () => {
    await engines.start();
    const { port } = await stack.serve((own) => `events {} ${httpBlock(engines, own)}`, "conf");
    const [other] = (await freePorts(1)) as [number];
    ports.push(port, other);
    mkdirSync(`${stack.folder}/logs`);
    const http = httpBlock(engines, other).replace("http {", `http { ${temporary}`);
    const head =
      "daemon off; master_process off; pid nginx.pid; events { worker_connections 4096; }";
    const file = stack.write("nginx.conf", `${head}\n${http}`);
    const words = ["-p", stack.folder, "-c", file, "-e", "stderr"];
    nginx = new RunningCommand("nginx", words, {
      env: { PATH: `${process.env["PATH"]}:/usr/sbin` },
    });
    await eventually(async () => (await fetch(`http://127.0.0.1:${other}/`).catch(() => 0)) !== 0);
  });
  afterAll(async () => {
    engines.end();
    await nginx?.kill();
    await stack.end();
  });

  test("each condition, method and failure goes where nginx has it go", async () => {
    const results: string[][] = [];
    for (const port of ports) {
      engines.asked.clear();
      const statuses = await askAll(port);
      results.push(
        cases.map((one, index) => {
          const { condition, method, way, isHopeless } = one;
          const what = `${condition}: ${method}, ${isHopeless ? "each" : "the first"} ${way}`;
          const asked = (engines.asked.get(one.path) ?? []).sort();
          return `${what}: ${statuses[index]} after ${asked.join(", ") || "nobody"}`;
        }),
      );
    }
    const [ours = [], nginxs = []] = results;
    expect(ours.filter((line, index) => line !== nginxs[index])).toEqual(
      nginxs.filter((line, index) => line !== ours[index]),
    );
    // Not because neither of them did anything.
    expect(new Set(nginxs.map((line) => line.replace(/^.*: /, ""))).size).toBeGreaterThan(20);
  });
});
