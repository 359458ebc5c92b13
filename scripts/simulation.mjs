/** Runs more simulated fleets than the tests do, or one again: `npm run test:simulation -- --seeds 10000`. */
import { spawn } from "node:child_process";
import { parseArgs } from "node:util";

const { values } = parseArgs({
  options: {
    seeds: { type: "string", default: "10000" },
    from: { type: "string", default: "1" },
    seed: { type: "string" },
  },
});
const from = values.seed ?? values.from;
const seeds = values.seed === undefined ? values.seeds : "1";
for (const [name, text] of Object.entries({ from, seeds })) {
  if (/^[1-9]\d{0,8}$/.test(text)) continue;
  process.stderr.write(`simulation: --${name} ${text}: expected a whole number from 1 on\n`);
  process.exit(2);
}
const vitest = spawn(
  process.execPath,
  ["node_modules/vitest/vitest.mjs", "run", "test/simulation/fleet", "--testTimeout", "0"],
  { stdio: "inherit", env: { ...process.env, SIMULATION_FROM: from, SIMULATION_SEEDS: seeds } },
);
vitest.on("exit", (code) => {
  process.exitCode = code ?? 1;
});
