/** A watched file, as it is replaced in practice: by renaming, by ConfigMaps' links, written slowly, and gone. */
import {
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { fileSourceSchema } from "../../../../src/config/schema/pool/sources.ts";
import { FileSource } from "../../../../src/control/discovery/sources/file.ts";
import { eventually } from "../../../support/eventually.ts";

let folder: string;
let source: FileSource;
let lines: string[];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "gp-file-"));
  lines = [];
});
afterEach(() => {
  source.close();
  rmSync(folder, { recursive: true });
});

function sourceOf(file: string): FileSource {
  source = new FileSource("p", fileSourceSchema.parse({ file: join(folder, file), pollMs: 50 }), {
    log: (level, line) => void lines.push(`${level}: ${line}`),
    changed: () => {},
    nowMs: () => performance.now(),
  });
  return source;
}

const urls = () => source.enginesOf("p").map(({ url }) => url);

it("follows a ConfigMap of Kubernetes, whose folder is a link that is replaced", async () => {
  const version = (name: string, text: string) => {
    mkdirSync(join(folder, name));
    writeFileSync(join(folder, name, "engines.yaml"), text);
    symlinkSync(name, join(folder, "..data.new"));
    renameSync(join(folder, "..data.new"), join(folder, "..data"));
  };
  version("..1", "[a:1]");
  symlinkSync("..data/engines.yaml", join(folder, "engines.yaml"));
  await sourceOf("engines.yaml").open();
  expect(urls()).toEqual(["a:1"]);
  version("..2", "[a:1, b:1]");
  rmSync(join(folder, "..1"), { recursive: true });
  await eventually(() => urls().length === 2);
  version("..3", "[b:1]");
  await eventually(() => urls().join() === "b:1");
  expect(lines.filter((line) => line.startsWith("error"))).toEqual([]);
});

it("a list that is written slowly is read when it is whole, though its halves are lists as well", async () => {
  const file = join(folder, "f.yaml");
  writeFileSync(file, "- a:1\n- b:1\n- c:1\n");
  await sourceOf("f.yaml").open();
  const seen = new Set<number>();
  const watching = setInterval(() => seen.add(urls().length), 1);
  writeFileSync(file, "- a:1\n");
  writeFileSync(file, "- a:1\n- b:1\n");
  writeFileSync(file, "- a:1\n- b:1\n- c:1\n- d:1\n");
  await eventually(() => urls().length === 4);
  clearInterval(watching);
  expect([...seen].filter((count) => count < 3)).toEqual([]);
});

it("a file that is gone keeps its engines, and is read when it is back", async () => {
  const file = join(folder, "f.yaml");
  writeFileSync(file, "[a:1]");
  await sourceOf("f.yaml").open();
  unlinkSync(file);
  await eventually(() => lines.length > 0);
  expect(lines[0]).toMatch(/^error: open\(\) ".*f\.yaml" failed \(2: No such file or directory\)/);
  expect(urls()).toEqual(["a:1"]);
  writeFileSync(file, "[b:1]");
  await eventually(() => urls().join() === "b:1");
});

it("a file with an error ends the start, with its place; not that of the process that takes over", async () => {
  writeFileSync(join(folder, "f.yaml"), "- a:1\n- { url: b:1, wieght: 2 }\n");
  await expect(sourceOf("f.yaml").open()).rejects.toThrow(/"wieght".*f\.yaml:2:15 .*"weight"/);
  source.close();
  await sourceOf("f.yaml").open({ key: "", said: [] });
  expect(lines[0]).toContain("keeps its 0 engines");
});
