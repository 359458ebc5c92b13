/** Sockets behave the same on each runtime and in the memory that simulations use. */
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { seededRandom } from "../../src/simulated-engine/model/prng.ts";
import { MemoryNetwork } from "../../src/transport/memory.ts";
import { tcp } from "../../src/transport/tcp.ts";
import { executableOf, runtimes } from "../support/runtimes.ts";
import { patienceMs } from "../support/times.ts";
import { checks, type Ground, realGround, runCheck } from "./transport-checks.ts";

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

/** The one that runs the tests was tested above. */
const others = runtimes.filter((runtime) => runtime !== "node");

test.each(others)("sockets on %s, like those of Node", (runtime) => {
  const script = fileURLToPath(new URL("transport-on-runtime.ts", import.meta.url));
  const { status, stdout, stderr } = spawnSync(executableOf(runtime), [script], {
    encoding: "utf8",
    timeout: patienceMs,
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
