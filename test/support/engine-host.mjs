/**
 * Simulated engines in one process. Each line of standard input is `{ id, words }`, which starts one by the switches of
 * `global-proxy engine`, or `{ id }`, which ends it. It says `{ id }` when that is done, or `{ id, error }`.
 */
import { createInterface } from "node:readline";
import { engineCommand, startBySwitches } from "../../dist/cli/commands/engine.js";

const engines = new Map();

async function start(id, words) {
  let switches;
  const command = engineCommand().action((parsed) => {
    switches = parsed;
  });
  let complaint = "";
  command.exitOverride().configureOutput({
    writeErr(text) {
      complaint += text;
    },
  });
  try {
    await command.parseAsync(words, { from: "user" });
  } catch {
    throw new Error(complaint);
  }
  engines.set(id, await startBySwitches(switches));
}

async function end(id) {
  await engines.get(id)?.close();
  engines.delete(id);
}

const say = (message) => process.stdout.write(`${JSON.stringify(message)}\n`);

for await (const line of createInterface({ input: process.stdin })) {
  const { id, words } = JSON.parse(line);
  (words === undefined ? end(id) : start(id, words)).then(
    () => say({ id }),
    (error) => say({ id, error: error.message }),
  );
}
process.exit(0);
