/** Lines reach a syslog daemon as nginx writes them, and one that is not there costs lines alone. */
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { hostname } from "node:os";
import { afterAll, expect, it } from "vitest";
import { parseSyslog } from "../../src/config/values/syslog-target.ts";
import { openLog } from "../../src/observe/open-log.ts";

const at = new Date(2026, 10, 5, 9, 8, 7).getTime();
const daemon = createSocket("udp4");
const got: string[] = [];
daemon.on("message", (bytes) => got.push(bytes.toString()));

async function portOfDaemon(): Promise<number> {
  daemon.bind(0, "127.0.0.1");
  await once(daemon, "listening");
  return daemon.address().port;
}

async function arrived(count: number): Promise<string[]> {
  while (got.length < count) await once(daemon, "message");
  return got.splice(0);
}

afterAll(() => daemon.close());

it("a datagram for each line, with what the configuration says", async () => {
  const port = await portOfDaemon();
  const open = (more: string) =>
    openLog({ file: `syslog:server=127.0.0.1:${port}${more}`, sync: false }, () => at);
  const plain = open("");
  plain.write("one\ntwo\n");
  expect(await arrived(2)).toEqual(
    ["one", "two"].map((line) => `<190>Nov  5 09:08:07 ${hostname()} nginx: ${line}`),
  );
  const told = open(",facility=local0,severity=error,tag=gp_1,nohostname");
  told.write("three\n");
  expect(await arrived(1)).toEqual(["<131>Nov  5 09:08:07 gp_1: three"]);
  told.write("four\n", "emerg");
  expect(await arrived(1)).toEqual(["<128>Nov  5 09:08:07 gp_1: four"]);
  told.write(`${"é".repeat(40_000)}\n`);
  expect((await arrived(1))[0]!.length).toBeLessThan(32_768);
  told.write("last\n");
  told.close();
  told.write("too late\n");
  expect(await arrived(1)).toEqual(["<131>Nov  5 09:08:07 gp_1: last"]);
  expect(told.dropped).toBe(1);
  plain.close();
});

it.each([
  ["server=127.0.0.1", { host: "127.0.0.1", port: 514 }],
  ["server=[::1]:5", { host: "::1", port: 5 }],
  ["server=logs.example:5,tag=a", { host: "logs.example", port: 5, tag: "a" }],
  ["server=a:0", { problem: 'invalid address in syslog server "a:0"' }],
  ["server=unix:/dev/log", { problem: expect.stringContaining("UDP") }],
  ["tag=a", { problem: "no syslog server specified" }],
])("%s", (text, expected) => {
  expect(parseSyslog(text)).toMatchObject(expected);
});
