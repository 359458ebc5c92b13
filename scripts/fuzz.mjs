/** `npm run test:fuzz -- [--seconds 60] [--seed N] [--target NAME] [--input BASE64]`: test/fuzz for a longer time, or one input again. */
import { spawnSync } from "node:child_process";
import { parseArgs } from "node:util";

const { values } = parseArgs({
  options: {
    seconds: { type: "string", default: "60" },
    seed: { type: "string" },
    target: { type: "string", default: "" },
    input: { type: "string", default: "" },
  },
});
const seed = values.seed ?? String(Date.now() % 1_000_000_000);
process.stdout.write(`seed ${seed}, ${values.seconds} s\n`);
const { status } = spawnSync("npx", ["vitest", "run", "test/fuzz"], {
  stdio: "inherit",
  env: {
    ...process.env,
    GLOBAL_PROXY_FUZZ_SECONDS: values.seconds,
    GLOBAL_PROXY_FUZZ_SEED: seed,
    GLOBAL_PROXY_FUZZ_TARGET: values.target,
    GLOBAL_PROXY_FUZZ_INPUT: values.input,
  },
});
process.exit(status ?? 1);
