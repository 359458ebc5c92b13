/** Runs many cases through one start of a program, and says what both ends of each got. */
import { hash } from "node:crypto";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { freePorts } from "../../support/ports.ts";
import type { Script, WireCase } from "./case.ts";
import { get } from "./case.ts";
import { converse } from "./client.ts";
import { confOf, type Frame, type Place } from "./conf.ts";
import { ScriptedEngine } from "./engine.ts";
import { normaliseRequest, normaliseResponses } from "./normalise.ts";
import { Events } from "./play.ts";
import { complaintsOf, type ProgramName, startProgram, stopProgram } from "./program.ts";

/** So many cases run at a time. */
const concurrency = 16;

/** What files were last changed at, in seconds since the epoch. */
const changedS = Date.UTC(2024, 0, 2, 3, 4, 5) / 1000;

function writeFiles(folder: string, files: Readonly<Record<string, string>>): void {
  for (const [name, text] of Object.entries(files)) {
    const path = join(folder, name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
    utimesSync(path, changedS, changedS);
  }
}

/** Cases that share processes. */
export interface Group {
  readonly main?: string | undefined;
  readonly http?: string | undefined;
  readonly cases: readonly WireCase[];
}

/** The same files, ports and engines for all programs. Programs run one after the other. */
export class Bench {
  readonly #places: readonly Place[];
  readonly #frame: Frame;

  private constructor(places: readonly Place[], frame: Frame) {
    this.#places = places;
    this.#frame = frame;
  }

  static async prepare({ main, http, cases }: Group): Promise<Bench> {
    const folder = mkdtempSync(join(tmpdir(), "gp-wire-"));
    const places: Place[] = [];
    for (const [index, one] of cases.entries()) {
      const [port] = (await freePorts(1)) as [number];
      const engines = (one.engines ?? [one.engine]).map((script) => new ScriptedEngine(script));
      const enginePorts = await Promise.all(engines.map((engine) => engine.listen()));
      const id = `case${index}`;
      writeFiles(join(folder, id), one.files ?? {});
      places.push({ case: one, id, port, engines, enginePorts });
    }
    const [probePort] = (await freePorts(1)) as [number];
    return new Bench(places, { main, http, probePort, folder });
  }

  /** What both ends got in each case, or what `-t` says against it. */
  async run(program: ProgramName): Promise<ReadonlyMap<WireCase, string>> {
    const logs = join(this.#frame.folder, "logs");
    rmSync(logs, { recursive: true, force: true });
    mkdirSync(logs);
    const results = new Map<WireCase, string>();
    const accepted = await this.#accepted(program, results);
    const file = { path: this.#write(accepted), folder: this.#frame.folder };
    const command = await startProgram(program, file, this.#frame.probePort);
    const waiting = [...accepted];
    const work = async () => {
      for (let place = waiting.shift(); place !== undefined; place = waiting.shift()) {
        results.set(place.case, await runCase(place));
      }
    };
    try {
      await Promise.all(Array.from({ length: concurrency }, work));
    } finally {
      await stopProgram(command);
    }
    for (const { case: one, id } of accepted) {
      if (one.log === undefined) continue;
      const log = join(logs, `${id}.log`);
      const text = existsSync(log) ? readFileSync(log, "latin1") : "";
      results.set(one, `${results.get(one)}\n=== log\n${text}`);
    }
    return new Map(
      this.#places.map((place) => [place.case, this.#named(place, results.get(place.case)!)]),
    );
  }

  remove(): void {
    for (const { engines } of this.#places) for (const engine of engines) engine.close();
    rmSync(this.#frame.folder, { recursive: true, force: true });
  }

  /** Leaves out one case after the other until there is no complaint. */
  async #accepted(program: ProgramName, results: Map<WireCase, string>): Promise<readonly Place[]> {
    let places = this.#places;
    for (;;) {
      const path = this.#write(places);
      const complaints = await complaintsOf(program, { path, folder: this.#frame.folder });
      if (complaints.length === 0) return places;
      const { ownerOf } = confOf(places, this.#frame);
      const refused = new Set<Place>();
      for (const { line, message } of complaints) {
        const owner = ownerOf(line);
        if (owner === undefined) throw new Error(`${program} -t: line ${line}: ${message}`);
        if (!refused.has(owner)) results.set(owner.case, `=== -t\n${message}`);
        refused.add(owner);
      }
      places = places.filter((place) => !refused.has(place));
    }
  }

  #write(places: readonly Place[]): string {
    const path = join(this.#frame.folder, "nginx.conf");
    writeFileSync(path, confOf(places, this.#frame).text);
    return path;
  }

  /** With the words of the case in place of what they stand for in this run. */
  #named({ id, port, enginePorts }: Place, text: string): string {
    const engines = enginePorts.map((one, index) => [`127.0.0.1:${one}`, `%engine${index + 1}%`]);
    const words = [[this.#frame.folder, "%dir%"], ...engines, [`${port}`, "%port%"], [id, "%id%"]];
    const named = words.reduce((all, [value, word]) => all.replaceAll(value!, word!), text);
    return named.replaceAll(/[^\n]{10000,}/g, (much) => `${hash("sha1", much)} (${much.length})`);
  }
}

async function runCase({ case: one, port, engines }: Place): Promise<string> {
  const events = new Events();
  for (const engine of engines) engine.start(events);
  const { clients = [one.request ?? get()], responses = 1, together = false } = one;
  const talk = async (script: Script) => {
    const first = String(script);
    const asked = { isHead: /^\s*HEAD /.test(first), isOld: !/ HTTP\/1\.1\r?\n/.test(first) };
    const text = await converse(port, script, { responses, events, ...asked });
    return normaliseResponses(text, asked);
  };
  const got: string[] = [];
  if (together) got.push(...(await Promise.all(clients.map(talk))));
  else for (const script of clients) got.push(await talk(script));
  events.end();
  await Promise.all(engines.map((engine) => engine.stop()));
  const parts = got.map((text, index) => `=== client ${index + 1} gets\n${text}`);
  for (const [index, { requests }] of engines.entries()) {
    const texts = requests.map(normaliseRequest);
    if (together) texts.sort();
    parts.push(...texts.map((text) => `=== engine ${index + 1} gets\n${text}`));
  }
  return parts.join("\n");
}
