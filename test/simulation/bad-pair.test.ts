/**
 * Prefill and decode work as a pair: where the KV cache goes to, or comes from, a bad engine, a healthy one seems to
 * fail or is silent. The request goes to another pair, and only the bad engine is ejected.
 */
import { describe, expect, test } from "vitest";
import { decodes, type Script } from "./engine.ts";
import { onlyField } from "./http-reader.ts";
import { offers, rightShare, usualMs, ways, worldOf } from "./one-bad-engine.ts";
import type { World } from "./world.ts";

const ejected = (world: World) =>
  world.slots.map((slot) => world.board.health.ejectedUntil(slot) > 0);

/** Prefills push the KV cache to the decode engine that the request id names. @param bad what those do whose is bad */
function push(world: World, isBad: () => boolean, bad: Script): void {
  const [dead] = world.decode;
  const name = dead!.address.split(":")[0]!;
  for (const engine of world.prefill) {
    engine.script = (request, connection) => {
      const isToDead = onlyField(request, "x-request-id")!.includes(`decode_addr_${name}:`);
      connection.after(usualMs, () => (isToDead && isBad() ? bad : offers)(request, connection));
    };
  }
}

describe.each(["vllm-p2p-nccl", "moriio-read"] as const)("%s", (dialect) => {
  const fails: Script = (_, { send }) =>
    send(
      'HTTP/1.1 500 No\r\nContent-Type: application/json\r\nContent-Length: 12\r\n\r\n{"error":{}}',
    );
  test.each([
    ["dies, and prefills for it fail", "refuses connections", fails],
    ["hangs, and prefills for it wait", "hangs", (() => {}) as Script],
  ] as const)("a decode engine that %s", (_, way, bad) => {
    for (const prefill of [1, 2]) {
      const world = worldOf(2, "random", { dialect });
      for (const engine of world.engines) engine.checksTransfer = false;
      if (prefill === 1) world.prefill[1]!.connects("refused");
      let isBad = false;
      push(world, () => isBad, bad);
      const share = rightShare(world, 4_000, () => {
        isBad = true;
        ways[way]!(world.decode[0]!, decodes, world);
      });
      expect(share, `${prefill} prefill engines`).toBeGreaterThanOrEqual(0.99);
      // With one prefill engine nothing but time shows which of the pair it is.
      if (prefill === 2) expect(ejected(world)).toEqual([false, false, true, false]);
    }
  });

  test("a prefill engine that fails for every decode engine is the one to blame", () => {
    const world = worldOf(2, "random", { dialect });
    for (const engine of world.engines) engine.checksTransfer = false;
    for (const engine of world.prefill) engine.script = offers;
    world.prefill[0]!.script = fails;
    for (let i = 0; i < 40; i += 1)
      expect(world.responseTo(world.ask({ prompt: `p${i}`, stream: true })).status).toBe(200);
    expect(ejected(world)).toEqual([true, false, false, false]);
  });
});

describe.each(["vllm-ascend", "vllm-nixl"] as const)("%s", (dialect) => {
  test("decode that waits for a KV cache from a prefill engine that hangs is tried elsewhere", () => {
    const world = worldOf(2, "random", { dialect });
    for (const engine of world.engines) engine.checksTransfer = false;
    const [stopped] = world.prefill;
    let isStopped = false;
    const source = (body: Buffer) =>
      JSON.parse(body.toString()).kv_transfer_params.remote_engine_id;
    for (const engine of world.prefill) {
      const { address } = engine;
      const names: Script = (_, { send }) => {
        const json = JSON.stringify({
          choices: [],
          kv_transfer_params: { remote_engine_id: address },
        });
        send(`HTTP/1.1 200 OK\r\nContent-Length: ${json.length}\r\n\r\n${json}`);
      };
      engine.script = (request, connection) =>
        connection.after(usualMs, () => {
          if (engine !== stopped || !isStopped) names(request, connection);
        });
    }
    for (const engine of world.decode) {
      engine.script = (request, connection) =>
        connection.after(usualMs, () => {
          if (!isStopped || source(request.body) !== stopped!.address) decodes(request, connection);
        });
    }
    const clients = Array.from({ length: 6 }, (_, i) =>
      world.ask({ prompt: `${i}`, stream: true }),
    );
    world.runUntil(() => clients.every(({ answers }) => answers.length > 0), 1_000);
    const stuck = [7, 8].map((i) => world.ask({ prompt: `${i}`, stream: true }));
    // Both are prefilled, and one of them by the engine that stops now.
    world.runFor(usualMs + 10);
    isStopped = true;
    // The decode engines go on with what comes from the other one.
    for (let i = 10; i < 60; i += 1) {
      clients.push(world.ask({ prompt: `${i}`, stream: true }));
      world.runFor(50);
    }
    expect(stuck.map(({ answers }) => answers[0]?.status)).toEqual([200, 200]);
    world.runFor(2_000);
    expect(clients.map(({ answers }) => answers[0]?.status)).toEqual(clients.map(() => 200));
    expect(ejected(world)).toEqual([true, false, false, false]);
  });
});
