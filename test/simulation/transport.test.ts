import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { seededRandom } from "../../src/simulated-engine/model/prng.ts";
import { MemoryNetwork } from "../../src/transport/memory.ts";
import { tcp } from "../../src/transport/tcp.ts";
import { checks, type Ground, realGround, runCheck } from "./transport-checks.ts";

const bunFile = fileURLToPath(new URL("../../node_modules/bun/bin/bun.exe", import.meta.url));

function memoryGround(seed: number): Ground {
  const network = new MemoryNetwork({
    random: seededRandom(seed),
    latencyMs: [0, 5],
    readBytes: [1, 500_000],
    kernelBytes: 500_000,
  });
  return {
    transport: network,
    async until(holds) {
      network.runUntil(network.nowMs() + 100_000, holds);
      if (!holds()) throw new Error("it does not come to that");
    },
    pause: async () => network.runUntil(network.nowMs() + 100),
  };
}

describe("a socket in memory, like one of Node", () => {
  test.each(Object.entries(checks))("%s", async (_, check) => {
    await runCheck(check, realGround(tcp));
    for (let seed = 1; seed <= 20; seed += 1) await runCheck(check, memoryGround(seed));
  });
});

test.runIf(existsSync(bunFile))("a socket of Bun, like one of Node", () => {
  const script = fileURLToPath(new URL("transport-on-bun.ts", import.meta.url));
  const { status, stdout, stderr } = spawnSync(bunFile, [script], {
    encoding: "utf8",
    timeout: 25_000,
  });
  expect(stdout + stderr).toBe("");
  expect(status).toBe(0);
});

test("the same seed gives the same run", async () => {
  const run = async (seed: number) => {
    const ground = memoryGround(seed);
    const sizes: number[] = [];
    const quiet = { onConnect() {}, onDrain() {}, onEnd() {}, onClose() {} };
    const where = { host: "h", port: 1, reusePort: false, backlog: 1 };
    await ground.transport.listen(where, (socket) => {
      socket.handler = { ...quiet, onData: (chunk) => void sizes.push(chunk.length) };
    });
    const socket = ground.transport.connect(where, { ...quiet, onData() {} });
    socket.write(Buffer.alloc(5_000_000));
    await ground.pause();
    return sizes;
  };
  expect(await run(7)).toEqual(await run(7));
  expect(await run(7)).not.toEqual(await run(8));
});
