/**
 * The proxy in front of real vLLM engines on CPUs: what it does there is the same as what one engine does by itself.
 *
 *     npm run test:live                                  all forms and suites; the first time 10 minutes more
 *     npm run test:live -- --form nixl --suite differential
 *     npm run test:live -- --only "completions · echo"   requests of the differential whose title matches
 *
 * Needs Python 3.10 to 3.13 with the module venv, PyPI, 8 GB of memory and 6 GB of disk. Everything is made outside the
 * repository (`--folder`, or the variable GLOBAL_PROXY_LIVE). Exits with 1 if something differs that is not meant to.
 */
import { mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { aborts } from "./live/aborts.mjs";
import { clients } from "./live/clients.mjs";
import { differential } from "./live/differential.mjs";
import { defaultFolder, prepare, versions } from "./live/environment.mjs";
import { Fleet, forms, usualForms } from "./live/fleet.mjs";
import { kvEvents } from "./live/kv-events.mjs";
import { lab } from "./live/lab.mjs";
import { resume } from "./live/resume.mjs";

/** Each with the forms that it makes sense of. */
const suites = {
  differential: { forms: Object.keys(forms), run: differential },
  clients: { forms: ["nixl"], run: clients },
  "kv-events": { forms: ["one", "nixl"], run: kvEvents },
  aborts: { forms: ["nixl"], run: aborts },
  lab: { forms: ["nixl"], run: lab },
  // The last: it kills an engine.
  resume: { forms: ["nixl"], run: resume },
};

const { values } = parseArgs({
  options: {
    help: { type: "boolean" },
    folder: { type: "string", default: defaultFolder },
    form: { type: "string", default: usualForms.join() },
    suite: { type: "string", default: Object.keys(suites).join() },
    runtime: { type: "string", default: "node" },
    only: { type: "string" },
    seconds: { type: "string", default: "3600" },
  },
});

if (values.help) {
  process.stdout.write(`npm run test:live -- [--form ${Object.keys(forms)}] [--suite ${Object.keys(suites)}]
  [--only REGEX] [--runtime node|bun] [--folder FOLDER] [--seconds N]: docs/live.md\n`);
  process.exit(0);
}

function listOf(name, known) {
  const list = values[name].split(",");
  const unknown = list.find((one) => !known.includes(one));
  if (unknown === undefined) return list;
  process.stderr.write(`live: --${name} ${unknown}: expected one of ${known.join(", ")}\n`);
  process.exit(2);
}
const chosenForms = listOf("form", Object.keys(forms));
const chosenSuites = listOf("suite", Object.keys(suites));
const say = (text) => process.stdout.write(`${text}\n`);

const folder = values.folder;
let fleet;
let failed = 0;
const deadline = setTimeout(
  () => end(`not finished within ${values.seconds} s`),
  Number(values.seconds) * 1_000,
);
for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => end(signal));

async function end(why) {
  clearTimeout(deadline);
  await fleet?.endAll();
  if (why !== undefined) process.stderr.write(`live: ${why}\n`);
  process.exit(why === undefined && failed === 0 ? 0 : 1);
}

/** The engines of a form, and one beside them that does all by itself: the judge. */
async function startForm(name) {
  const { roles, connector } = forms[name];
  const started = await Promise.all([
    fleet.engine(`${name}-judge`, undefined),
    ...(name === "one"
      ? []
      : roles.map((role) => fleet.engine(`${name}-${role}`, connector(role, folder)))),
  ]);
  const [judge, ...others] = started;
  return { judge, engines: name === "one" ? [judge] : others };
}

function proxyArgs(name, engines) {
  if (name === "one") return ["--engine", ...engines.map(({ url }) => url)];
  const [prefill, ...decodes] = engines;
  const { dialect, attributes } = forms[name];
  const prefillUrl = `${prefill.url}${attributes?.(prefill) ?? ""}`;
  const decode = decodes.map(({ url }) => url);
  return ["--prefill", prefillUrl, "--decode", ...decode, "--dialect", dialect];
}

async function runForm(name) {
  say(`\n${name}: starting engines, 1 to 6 minutes …`);
  const { judge, engines } = await startForm(name);
  for (const suite of chosenSuites) {
    if (!suites[suite].forms.includes(name)) continue;
    say(`\n${name}, ${suite}`);
    const context = { form: name, fleet, judge, engines, say, runtime: values.runtime, folder };
    const only = values.only === undefined ? undefined : new RegExp(values.only);
    const startProxy = (more = [], some = engines) =>
      fleet.proxy([...proxyArgs(name, some), ...more], values.runtime);
    const isRight = await suites[suite].run({ ...context, startProxy, only });
    if (!isRight) failed += 1;
    say(isRight ? "  passed" : "  FAILED");
  }
  await fleet.endAll();
}

try {
  const docs = join(import.meta.dirname, "../docs");
  const texts = readdirSync(docs).filter((name) => name.endsWith(".md"));
  const installed = prepare(
    folder,
    texts.map((name) => join(docs, name)),
    say,
  );
  const logs = join(folder, "run");
  mkdirSync(logs, { recursive: true });
  fleet = new Fleet(logs, installed);
  say(
    `vLLM ${versions.vllm} on CPUs, NIXL ${versions.nixl}, ${new Date().toISOString().slice(0, 10)}`,
  );
  for (const form of chosenForms) await runForm(form);
  await end();
} catch (error) {
  await end(error.message);
}
