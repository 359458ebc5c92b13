// What one decision costs: µs of a pick and of telling the policy where it went, and bytes allocated by a pick (on
// Node), for each registered policy at 64 and 1,000 engines; last the look-up of a prompt of 100 KB that every engine
// has to another depth. Load is heavy on prefixes: chats of up to 100 KB that come back longer, behind a shared
// beginning.
//   npx bun bench/micro/policies.ts
//   npx bun build --target=node --outfile=/tmp/policies-bench.mjs bench/micro/policies.ts
//   node /tmp/policies-bench.mjs

import { execFileSync } from "node:child_process";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { policySchema } from "../../src/config/schema/pool/policies.ts";
import { promptBlockBytes } from "../../src/limits.ts";
import { createPolicy } from "../../src/policies/create-policy.ts";
import { policies } from "../../src/policies/registry.ts";
import type {
  Candidates,
  PickRequest,
  Policy,
  PoolView,
} from "../../src/policies/shared/policy.ts";
import { PrefixIndex } from "../../src/prefix-cache/prefix-index.ts";
import { createScoreboardMemory, Scoreboard } from "../../src/scoreboard/scoreboard.ts";
import { seededRandom } from "../../src/simulated-engine/model/prng.ts";

// Many short rounds, of which the least counts: all noise adds.
const ROUNDS = 150;
const PICKS_PER_ROUND = 200;
// So few that none is collected meanwhile, also where each leaves a number for each of 1,000 engines.
const ALLOCATING_PICKS = 500;
const WARM_UP = 20_000;
const WORKERS = 4;
const IN_FLIGHT_PER_ENGINE = 4;
const CHATS = 2_000;
const BLOCKS = 48;
const SHARED_BLOCKS = 4;

const random = seededRandom(1);
const clock = { wallMs: () => Date.now() };
const requests: PickRequest[] = Array.from({ length: 8_192 }, () => {
  const chat = Math.floor(random() * CHATS);
  const length = SHARED_BLOCKS + Math.floor(random() ** 2 * (BLOCKS - SHARED_BLOCKS + 1));
  const blocks = Array.from({ length }, (_, i) => hash(i < SHARED_BLOCKS ? 0 : chat + 1, i));
  const bytes = length * promptBlockBytes + 700;
  return {
    bytes,
    tokens: bytes / 4,
    blocks,
    clientAddress: `10.0.${chat % 256}.7`,
    key: `chat-${chat}`,
    clock,
  };
});

/** A number of 53 bits, as blocks have. */
function hash(chat: number, block: number): number {
  const high = Math.imul(chat * 64 + block + 1, 0x9e3779b1) >>> 0;
  return high * 0x20_0000 + ((Math.imul(high ^ chat, 0x85ebca6b) >>> 0) >>> 11);
}

function poolOf(size: number): PoolView {
  const memory = createScoreboardMemory({ workers: WORKERS, slots: size });
  return {
    size,
    weights: new Float64Array(size).fill(1),
    addresses: Array.from({ length: size }, (_, i) => `10.1.${i >> 8}.${i & 255}:8000`),
    slots: Int32Array.from({ length: size }, (_, i) => i),
    board: new Scoreboard(memory, 1),
  };
}

function all(size: number): Candidates {
  const members = new Uint8Array(size).fill(1);
  return {
    count: size,
    engines: Int32Array.from({ length: size }, (_, i) => i),
    has: (engine) => members[engine] === 1,
  };
}

/** A pool that takes requests and ends the oldest, as many in flight as it has engines, times some. */
class Traffic {
  readonly policy: Policy;
  readonly candidates: Candidates;
  readonly #pool: PoolView;
  readonly #open: { engine: number; bytes: number; uncached: number }[] = [];
  #next = 0;

  constructor(name: string, size: number) {
    this.#pool = poolOf(size);
    this.candidates = all(size);
    const key = name === "hash" ? { key: "$uri", consistent: true } : {};
    const config = policySchema.parse({ name, ...key });
    this.policy = createPolicy(config, { pool: this.#pool, random });
  }

  request(): PickRequest {
    this.#next = (this.#next + 1) % requests.length;
    return requests[this.#next]!;
  }

  take(engine: number, one: PickRequest): void {
    const { board, slots, size } = this.#pool;
    const uncached = this.policy.uncachedBytes?.(engine, one) ?? one.bytes;
    board.take(slots[engine]!, one.bytes, 0, uncached);
    this.#open.push({ engine, bytes: one.bytes, uncached });
    if (this.#open.length < size * IN_FLIGHT_PER_ENGINE) return;
    const oldest = this.#open.shift()!;
    board.giveBack(slots[oldest.engine]!, oldest.bytes, oldest.uncached);
  }
}

interface Cost {
  readonly pickUs: number;
  readonly assignedUs: number;
  readonly pickBytes: number;
}

function measure(name: string, size: number): Cost {
  const traffic = new Traffic(name, size);
  const { policy, candidates } = traffic;
  const picked = new Int32Array(PICKS_PER_ROUND);
  const asked: PickRequest[] = [];
  const each = (count: number) => {
    for (let n = 0; n < count; n += 1) {
      const one = traffic.request();
      const engine = policy.pick(candidates, one);
      traffic.take(engine, one);
      policy.assigned?.(engine, one);
    }
  };
  each(WARM_UP);
  let pickUs = Number.POSITIVE_INFINITY;
  let assignedUs = Number.POSITIVE_INFINITY;
  for (let round = 0; round < ROUNDS; round += 1) {
    for (let n = 0; n < PICKS_PER_ROUND; n += 1) asked[n] = traffic.request();
    let from = performance.now();
    for (let n = 0; n < PICKS_PER_ROUND; n += 1) picked[n] = policy.pick(candidates, asked[n]!);
    pickUs = Math.min(pickUs, ((performance.now() - from) * 1_000) / PICKS_PER_ROUND);
    from = performance.now();
    for (let n = 0; n < PICKS_PER_ROUND; n += 1) policy.assigned?.(picked[n]!, asked[n]!);
    assignedUs = Math.min(assignedUs, ((performance.now() - from) * 1_000) / PICKS_PER_ROUND);
    each(PICKS_PER_ROUND / 4);
  }
  return { pickUs, assignedUs, pickBytes: allocated(policy, candidates, asked) };
}

/** Bytes on the heap that a pick leaves for the collector; NaN where the runtime does not tell. */
function allocated(policy: Policy, candidates: Candidates, asked: readonly PickRequest[]): number {
  if (collect === undefined) return Number.NaN;
  let least = Number.POSITIVE_INFINITY;
  for (let round = 0; round < 7; round += 1) {
    collect();
    const before = process.memoryUsage().heapUsed;
    for (let n = 0; n < ALLOCATING_PICKS; n += 1) policy.pick(candidates, asked[n % asked.length]!);
    const bytes = process.memoryUsage().heapUsed - before;
    // A collection in between would make it negative.
    if (bytes >= 0) least = Math.min(least, bytes / ALLOCATING_PICKS);
  }
  return least;
}

const isBun = process.versions["bun"] !== undefined;
setFlagsFromString("--expose-gc");
const collect = isBun ? undefined : (runInNewContext("gc") as () => void);
const row = (...cells: string[]): string =>
  `${cells.map((cell, i) => (i ? cell.padStart(14) : cell.padEnd(18))).join("")}\n`;
const LOOK_UP = "look-up";

function lookUpUs(size: number): number {
  const index = new PrefixIndex(poolOf(size));
  const prompt = Array.from({ length: BLOCKS }, (_, i) => hash(1, i));
  const asked = { blocks: prompt, clock: { wallMs: () => 0 } };
  for (let engine = 0; engine < size; engine += 1) {
    index.insert(engine, prompt.slice(0, engine % (BLOCKS + 1)));
  }
  let least = Number.POSITIVE_INFINITY;
  for (let round = 0; round < ROUNDS; round += 1) {
    const from = performance.now();
    for (let n = 0; n < PICKS_PER_ROUND; n += 1) index.runs(asked);
    least = Math.min(least, ((performance.now() - from) * 1_000) / PICKS_PER_ROUND);
  }
  return least;
}

function printOne(name: string, size: number): void {
  const cells =
    name === LOOK_UP
      ? [lookUpUs(size).toFixed(2)]
      : Object.values(measure(name, size)).map((value, i) => value.toFixed(i < 2 ? 2 : 0));
  process.stdout.write(row(name, String(size), ...cells));
}

// Each in a process of its own, as a proxy has one or two: where 20 have run before, the compiler knows less of each.
const [requiredEngine, size] = process.argv.slice(2);
if (requiredEngine !== undefined) printOne(requiredEngine, Number(size));
else {
  const runtime = isBun ? `bun ${process.versions["bun"]}` : process.version;
  process.stdout.write(row(runtime, "engines", "pick µs", "assigned µs", "bytes a pick"));
  for (const name of [...policies.map(({ name }) => name), LOOK_UP]) {
    for (const engines of [64, 1_000]) {
      const command = [process.argv[1]!, name, String(engines)];
      execFileSync(process.execPath, command, { stdio: "inherit" });
    }
  }
}
