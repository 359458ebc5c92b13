/** What it costs a pool to take a place at an engine and to give it back, by the number of its engines. */
import { configSchema } from "../../src/config/schema/schema.ts";
import { Pool } from "../../src/pool/pool.ts";
import { SlotTable } from "../../src/pool/slots.ts";
import { createScoreboardMemory, Scoreboard } from "../../src/scoreboard/scoreboard.ts";

const rounds = 5;
const noSlots: readonly number[] = [];
const request = {
  bytes: 2_000,
  tokens: 500,
  blocks: [],
  clientAddress: "10.0.0.1",
  key: "",
  clock: { wallMs: () => 1_000 },
};

function poolOf(engines: number): Pool {
  const urls = Array.from({ length: engines }, (_, i) => ({ url: `e${i}:1`, maxConns: 8 }));
  const config = configSchema.parse({
    pools: { p: { policy: { name: "round_robin" }, engines: urls } },
    servers: [{ listen: [{ port: 1 }], routes: [] }],
  });
  const memory = createScoreboardMemory({ workers: 1, slots: engines });
  return new Pool("p", config.pools["p"]!, {
    board: new Scoreboard(memory, 0),
    slots: new SlotTable(engines, () => {}).assign(config),
    random: () => 0.5,
  });
}

/** In µs. */
function timeOf(pool: Pool, picks: number): number {
  const start = performance.now();
  for (let n = 0; n < picks; n += 1) {
    const place = pool.place(request, noSlots, 1_000);
    if (typeof place === "string") throw new Error(place);
    pool.succeeded(place.engine, 1_000, 0);
    place.lease.close();
  }
  return ((performance.now() - start) * 1_000) / picks;
}

process.stdout.write(`${"engines".padStart(8)}${"µs/request".padStart(14)}\n`);
for (const engines of [4, 64, 1_000]) {
  const pool = poolOf(engines);
  timeOf(pool, 20_000);
  const times = Array.from({ length: rounds }, () => timeOf(pool, 2_000_000 / (engines + 20)));
  const text = Math.min(...times).toFixed(2);
  process.stdout.write(`${String(engines).padStart(8)}${text.padStart(14)}\n`);
}
