/** A load signal that is old, wrong or gone must never make the proxy send worse than by its own counts. */
import fc from "fast-check";
import { afterEach, expect, it } from "vitest";
import { type ConfigInput, configSchema } from "../../../src/config/schema/schema.ts";
import { probeFailuresMax, zeroPollsMax } from "../../../src/control/limits.ts";
import type { EngineResponse, NoResponse } from "../../../src/control/polling/ask-engine.ts";
import { LoadPoller } from "../../../src/control/polling/load-poller.ts";
import { SlotTable } from "../../../src/pool/slots.ts";
import { createScoreboardMemory, Scoreboard } from "../../../src/scoreboard/scoreboard.ts";

const intervalMs = 600_000;
const pollers: LoadPoller[] = [];
afterEach(() => {
  for (const poller of pollers.splice(0)) poller.close();
});

const ok = (text: string): EngineResponse => ({ status: 200, body: Buffer.from(text) });
const vllm = (running: number, kv = 0.5) =>
  ok(
    `vllm:num_requests_running{engine="0"} ${running}\nvllm:kv_cache_usage_perc{engine="0"} ${kv}\n`,
  );

function worldOf(pools: ConfigInput["pools"]) {
  const config = (more: ConfigInput["pools"]) =>
    configSchema.parse({ pools: more, servers: [{ listen: [{ port: 0 }], routes: [] }] });
  const board = new Scoreboard(createScoreboardMemory({ workers: 1, slots: 16 }), 0);
  const shadowBoard = new Scoreboard(createScoreboardMemory({ workers: 1, slots: 16 }), 0);
  const table = new SlotTable(16, (slot) => board.clearSlot(slot));
  const log: string[] = [];
  const asked: string[] = [];
  const world = {
    board,
    shadowBoard,
    log,
    asked,
    response: (_address: string, _path: string): EngineResponse | NoResponse => "failed",
    use(more: ConfigInput["pools"]) {
      const next = config(more);
      const slots = table.assign(next);
      poller.use(next, slots);
      return slots;
    },
    async round() {
      // The one that a configuration begins with ends first.
      await new Promise(setImmediate);
      await poller.round(intervalMs);
    },
    states: () => [...poller.states.values()],
  };
  const poller = new LoadPoller({
    board,
    shadowBoard,
    log: (level, message) => log.push(`${level}: ${message}`),
    ask: async ({ key }, path) => {
      asked.push(`${key} ${path}`);
      await Promise.resolve();
      return world.response(key, path);
    },
  });
  pollers.push(poller);
  const slots = world.use(pools);
  return {
    ...world,
    slots,
    set: (response: typeof world.response) => Object.assign(world, { response }),
  };
}

const signals = { intervalMs };
const onePool = { p: { signals, engines: [{ url: "a:1" }] } };

it("what others have there counts for second policies, too, as long as it is known", async () => {
  const { slots, shadowBoard, round, set } = worldOf(onePool);
  const slot = slots["p a:1"]!;
  set(() => vllm(7));
  await round();
  expect([shadowBoard.signals.externalRequests(slot), shadowBoard.signals.kvUse(slot)]).toEqual([
    7, -1,
  ]);
  set(() => "failed");
  for (let i = 0; i < 10; i += 1) await round();
  expect(shadowBoard.signals.externalRequests(slot)).toBe(0);
});

it("what others have there is what the engine says, less what is in flight from here; a request that comes or goes later counts at once", async () => {
  const said = fc.nat(50);
  const counts = fc.tuple(fc.nat(20), fc.nat(20), fc.nat(20));
  await fc.assert(
    fc.asyncProperty(said, counts, async (running, [before, sent, ended]) => {
      const { board, slots, round, set } = worldOf(onePool);
      const slot = slots["p a:1"]!;
      const take = () => board.take(slot, 100, 0);
      for (let i = 0; i < before; i += 1) take();
      set(() => vllm(running));
      await round();
      const others = Math.max(0, running - before);
      expect(board.signals.externalRequests(slot)).toBe(others);
      for (let i = 0; i < sent; i += 1) take();
      const ends = Math.min(ended, before + sent);
      for (let i = 0; i < ends; i += 1) board.giveBack(slot, 100);
      // Never below what is known to be there from here.
      expect(board.load(slot)).toBe(before + sent - ends + others);
    }),
    { numRuns: 50 },
  );
});

it("an engine of two pools, and ranks of one server, are asked once; each own request counts as one's own", async () => {
  const { board, slots, round, set, asked } = worldOf({
    prefill: { signals, engines: [{ url: "a:1@0-1" }] },
    decode: { signals, engines: [{ url: "a:1@0-1" }] },
  });
  await round();
  asked.length = 0;
  board.take(slots["prefill a:1@0"]!, 1, 0);
  board.take(slots["decode a:1@0"]!, 1, 0);
  set(() =>
    ok('vllm:num_requests_running{engine="0"} 5\nvllm:num_requests_running{engine="1"} 7\n'),
  );
  await round();
  expect(asked).toEqual(["a:1 /metrics"]);
  const others = (name: string) => board.signals.externalRequests(slots[name]!);
  expect(["prefill a:1@0", "decode a:1@0", "prefill a:1@1"].map(others)).toEqual([3, 3, 7]);
});

it("the path at which an engine tells is found, remembered, and searched for again when it tells no more", async () => {
  const { round, set, asked, board, slots } = worldOf(onePool);
  const loads = ok('{"loads":[{"num_running_reqs":4}]}');
  set((_, path) => (path === "/v1/loads" ? loads : { status: 404, body: Buffer.from("{}") }));
  await round();
  asked.length = 0;
  await round();
  expect(asked).toEqual(["a:1 /v1/loads"]);
  expect(board.signals.externalRequests(slots["p a:1"]!)).toBe(4);
  set((_, path) => (path === "/metrics" ? vllm(2) : "refused"));
  await round();
  await round();
  expect(board.signals.externalRequests(slots["p a:1"]!)).toBe(2);
});

it.each<[string, EngineResponse | NoResponse]>([
  ["nobody answers", "failed"],
  ["it answers with an error", { status: 500, body: Buffer.from("vllm:num_requests_running 1\n") }],
  ["it says what cannot be", ok("vllm:num_requests_running 1e12\n")],
])(
  "a signal is dead when %s some times in a row: nothing of it counts, and that is said once, as is its return",
  async (_, response) => {
    const { board, slots, round, set, log, states } = worldOf(onePool);
    const slot = slots["p a:1"]!;
    set(() => vllm(9));
    await round();
    set(() => response);
    for (let i = 1; i < probeFailuresMax; i += 1) await round();
    expect([board.signals.externalRequests(slot), board.signals.kvUse(slot), states()]).toEqual([
      9,
      0.5,
      ["live"],
    ]);
    for (let i = 0; i < 5; i += 1) await round();
    expect([board.signals.externalRequests(slot), board.signals.kvUse(slot), states()]).toEqual([
      0,
      -1,
      ["dead"],
    ]);
    set(() => vllm(3));
    for (let i = 0; i < 3; i += 1) await round();
    expect([board.signals.externalRequests(slot), states()]).toEqual([3, ["live"]]);
    expect(log).toEqual([
      expect.stringMatching(/^warn: engine a:1 of pool "p" does not report its load: /),
      expect.stringMatching(/^notice: engine a:1 of pool "p" reports its load again/),
    ]);
  },
);

it("an engine that says for long that nothing is there, while something is, is not believed until it says otherwise", async () => {
  const { board, slots, round, set, states, log } = worldOf(onePool);
  const slot = slots["p a:1"]!;
  board.take(slot, 1, 0);
  set(() => vllm(0));
  for (let i = 1; i < zeroPollsMax; i += 1) await round();
  expect(states()).toEqual(["live"]);
  for (let i = 0; i < 5; i += 1) await round();
  expect([states(), board.signals.kvUse(slot), log.length]).toEqual([["dead"], -1, 1]);
  set(() => vllm(2));
  await round();
  expect([states(), board.signals.externalRequests(slot), log.length]).toEqual([["live"], 1, 2]);
});

it("after a reload without signals nothing of them counts", async () => {
  const { board, slots, round, set, use, states } = worldOf(onePool);
  set(() => vllm(9));
  await round();
  use({ p: { engines: [{ url: "a:1" }] } });
  await round();
  expect([board.signals.externalRequests(slots["p a:1"]!), states()]).toEqual([0, []]);
});

it("an engine that hangs holds up no other, and is asked once at a time", async () => {
  let tells: (response: EngineResponse) => void = () => {};
  const hung = new Promise<EngineResponse>((resolve) => {
    tells = resolve;
  });
  const { board, slots, round, set, asked } = worldOf({
    p: { signals, engines: [{ url: "hangs:1" }, { url: "tells:1" }] },
  });
  await round();
  asked.length = 0;
  let running = 1;
  set((address) => (address.startsWith("hangs") ? (hung as never) : vllm(running)));
  const first = round();
  for (running of [2, 3]) {
    await round();
    expect(board.signals.externalRequests(slots["p tells:1"]!)).toBe(running);
  }
  expect(asked.filter((one) => one.startsWith("hangs"))).toHaveLength(1);
  tells(vllm(9));
  await first;
  expect(board.signals.externalRequests(slots["p hangs:1"]!)).toBe(9);
  await round();
  expect(asked.filter((one) => one.startsWith("hangs"))).toHaveLength(2);
});
