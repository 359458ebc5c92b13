/**
 * Legs that wait for each other are late together, whichever of their engines hangs: that one loses its traffic, and
 * the other one does not. And what is late is late since the engine's last sign of life, not since it was looked at.
 */
import { describe, expect, test } from "vitest";
import { allDialects } from "../../src/dialects/registry.ts";
import type { Client } from "./client.ts";
import { bodyOf, chunkedHead, decodes, type EngineConnection, type Script } from "./engine.ts";
import type { Message } from "./http-reader.ts";
import { namesKv, rightShare, usualMs, worldOf } from "./one-bad-engine.ts";
import { rightResponse } from "./prompts.ts";
import type { World } from "./world.ts";

const together = allDialects.filter(({ order }) => order === "together").map(({ name }) => name);

type Side = "prefill" | "decode";
interface Visit {
  readonly request: Message;
  readonly connection: EngineConnection;
  readonly atMs: number;
}

/** Legs that come within so many ms belong to one attempt. */
const attemptMs = 10;

/** Engines whose legs need each other: neither responds before both have the request. */
class Rendezvous {
  readonly #waiting: Record<Side, Map<string, Visit>> = { prefill: new Map(), decode: new Map() };
  readonly prefills: Script = (...visit) => this.#comes("prefill", ...visit);
  readonly decodes: Script = (...visit) => this.#comes("decode", ...visit);

  constructor(world: World) {
    for (const engine of world.engines) engine.checksTransfer = false;
    for (const engine of world.prefill) engine.script = this.prefills;
    for (const engine of world.decode) engine.script = this.decodes;
  }

  #comes(side: Side, request: Message, connection: EngineConnection): void {
    const { prompt } = bodyOf(request);
    const atMs = connection.engine.network.nowMs();
    this.#waiting[side].set(prompt, { request, connection, atMs });
    const prefill = this.#waiting.prefill.get(prompt);
    const decode = this.#waiting.decode.get(prompt);
    if (prefill === undefined || decode === undefined) return;
    if (Math.abs(prefill.atMs - decode.atMs) > attemptMs) return;
    connection.after(usualMs, () => {
      prefill.connection.send(namesKv);
      decodes(decode.request, decode.connection);
    });
  }
}

const hangs: Script = () => {};
const sendsHead: Script = (_, { send }) => send(chunkedHead);

describe.each(together)("with the dialect %s", (dialect) => {
  describe.each(["prefill", "decode"] as const)("a %s engine", (role) => {
    test.each([
      ["hangs", hangs, 2],
      ["hangs", hangs, 4],
      ["sends a head and nothing else", sendsHead, 2],
    ] as const)("that %s costs nobody a response (%#)", (_, script, engines) => {
      for (const waitMs of [60_000, 2_000]) {
        const world = worldOf(engines, "round_robin", { dialect });
        new Rendezvous(world);
        const [bad] = world[role];
        const turn = () => {
          bad!.script = script;
        };
        const share = rightShare(world, waitMs, turn);
        expect(share, `clients that wait ${waitMs} ms`).toBeGreaterThanOrEqual(0.99);
      }
    });
  });

  test.each(["prefill", "decode"] as const)("it is the %s engine that is ejected", (role) => {
    const world = worldOf(2, "random", { dialect });
    new Rendezvous(world);
    // Where engines are chosen at random, no two of them always come together.
    rightShare(world, 60_000, () => {
      world[role][0]!.script = hangs;
    });
    const ejected = [0, 1, 2, 3].filter(
      (slot) => world.board.health.ejectedUntil(slot) > world.network.nowMs(),
    );
    expect(ejected).toEqual([role === "prefill" ? 0 : 2]);
  });
});

test("a response in one piece does not wait at an engine that hangs and gets too few requests to be ejected", () => {
  const world = worldOf(2, "round_robin", { prefill: undefined, dialect: "plain" });
  for (const engine of world.decode) engine.checksTransfer = false;
  for (let i = 0; i < 6; i += 1) world.responseTo(world.ask({ prompt: "p", stream: true }));
  const [first, second] = world.decode;
  first!.script = hangs;
  second!.script = decodes;
  const whole = { prompt: "whole", stream: false };
  const asked = [whole, { prompt: "other", stream: true }, { prompt: "late", stream: true }].map(
    (ask) => world.ask(ask),
  );
  world.runFor(10_000);
  expect(asked[0]!.answers[0]?.body.toString()).toBe(rightResponse(whole));
  expect(world.board.health.ejectedUntil(0)).toBe(0);
});

test("a response is late since the engine's last sign of life", () => {
  const world = worldOf(2, "round_robin", { prefill: undefined, dialect: "plain" });
  for (const engine of world.decode) engine.checksTransfer = false;
  const ask = { prompt: "p", stream: true };
  for (let i = 0; i < 6; i += 1) world.responseTo(world.ask(ask));
  const [first, second] = world.decode;
  // One response comes 300 ms after it was asked for, and then nothing.
  first!.script = (request, connection) => {
    if (bodyOf(request).prompt !== "before") connection.send(chunkedHead);
    else connection.after(300, () => decodes(request, connection));
  };
  second!.script = decodes;
  const asked: Client[] = [];
  for (const prompt of ["before", "other", "late"]) asked.push(world.ask({ prompt, stream: true }));
  // Late 1,000 ms after that response's end: seen when it is looked for, and found when it is looked for again.
  world.runFor(350 + 1_000 + 2 * 225 + 50);
  expect(asked.at(-1)!.answers[0]?.body.toString()).toBe(
    rightResponse({ prompt: "late", stream: true }),
  );
});
