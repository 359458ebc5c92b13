/** Reloads take engines in and out under load: no request is lost, and an engine that is out gets nothing new. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { eventually } from "../support/eventually.ts";
import { Load } from "../support/load.ts";
import { freePorts } from "../support/ports.ts";
import { bunAndOneNode } from "../support/runtimes.ts";
import { type Engine, Stack, totals } from "../support/stack.ts";

describe.each(bunAndOneNode("reload-under-load"))("on %s", (runtime) => {
  const stack = new Stack(runtime);
  let prefills: Engine[];
  let decodes: Engine[];
  let oracle: string;
  let port: number;

  beforeAll(async () => {
    prefills = await stack.startEngines("prefill", 3);
    // Streams long enough to live through a reload, and slow enough to be few while a test waits for one.
    const slow = ["--prefill-tokens-per-second", "0", "--itl-ms", "10", "--batch-penalty-ms", "0"];
    decodes = await stack.startEngines("decode", 3, slow);
    oracle = (await stack.startEngines("mixed", 1))[0]!.url;
    port = (await freePorts(1))[0]!;
  });
  afterAll(() => stack.end());

  /** With the engines of these numbers on both sides. */
  function write(numbers: readonly number[], more = ""): string {
    const list = (engines: readonly Engine[]) =>
      numbers.map((number) => `server 127.0.0.1:${engines[number]!.port};`).join(" ");
    return stack.write(
      "nginx.conf",
      `error_log stderr notice;
events {}
http {
  upstream p { length_balance; ${list(prefills)} }
  upstream d { least_conn; ${list(decodes)} }
  server {
    listen 127.0.0.1:${port};
    ${more}
    location /v1 { prefill /p; proxy_pass http://d; }
    location /p { internal; rewrite ^/p(.*) $1 break; proxy_pass http://p; }
  }
}
`,
    );
  }

  const seenBy = async (numbers: readonly number[]) => {
    const engines = numbers.flatMap((number) => [prefills[number]!, decodes[number]!]);
    const states = await Promise.all(engines.map((engine) => engine.state()));
    return states.map(({ requestsSeen }) => requestsSeen);
  };

  test("seven reloads, two of them broken", async () => {
    const conf = write([0, 1]);
    const command = stack.start("-c", conf);
    await command.saysError(/listening on/);
    const count = (text: string) => command.stderr.split(text).length - 1;
    const inForce = "the new configuration is in force";
    const load = await Load.start(`http://127.0.0.1:${port}`, oracle, {
      clients: 8,
      maxTokens: 30,
    });
    const reload = async () => {
      const before = count(inForce);
      const sender = stack.start("-s", "reload", "-c", conf);
      expect(await sender.exited).toBe(0);
      await eventually(() => count(inForce) > before);
    };
    try {
      await load.more(20);
      const steps = [[1, 2], [2], [0, 1, 2], [0], [1, 2]];
      for (const numbers of steps) {
        write(numbers);
        await reload();
        // Those that began before it may still go to an engine that is out.
        await load.turnover();
        const out = [0, 1, 2].filter((number) => !numbers.includes(number));
        const before = await seenBy(out);
        const inBefore = await seenBy(numbers);
        await load.more(16);
        expect(await seenBy(out)).toEqual(before);
        // length_balance may well pass an engine over for a while that had more before.
        const isDecode = (index: number) => index % 2 === 1;
        for (const [index, seen] of (await seenBy(numbers)).entries()) {
          if (isDecode(index)) expect(seen).toBeGreaterThan(inBefore[index]!);
        }
      }
      for (const broken of ["no_such_directive;", `listen 127.0.0.1:${prefills[0]!.port};`]) {
        write([0, 1, 2], broken);
        const before = await seenBy([0]);
        const errors = count("[error]");
        command.signal("SIGHUP");
        await eventually(() => count("[error]") > errors);
        await load.turnover();
        await load.more(10);
        expect(await seenBy([0])).toEqual(before);
      }
      write([0]);
      await reload();
    } finally {
      const { wrong, cut, right, failed } = await load.stop();
      expect({ wrong, cut, failed }).toEqual({ wrong: [], cut: 0, failed: 0 });
      expect(right).toBeGreaterThan(110);
    }
    expect(command.child.exitCode).toBe(null);
    const sums = totals(await stack.settled());
    expect(sums).toMatchObject({ recomputed: 0, violations: 0, expired: 0 });
    expect(count("[alert]") + count("[emerg]")).toBe(2);
  });
});
