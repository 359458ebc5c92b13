/**
 * The package must have what is needed and nothing else, start where it is installed, and what it makes public must work
 * from another package: types under strict settings, and at run time. Needs `npm run build`.
 */
import { execFileSync } from "node:child_process";
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";

const root = process.cwd();
let folder: string;
let tarball: string;
let files: readonly { readonly path: string; readonly size: number }[];
let packedBytes: number;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "gp-package-"));
  const packed = execFileSync(
    "npm",
    ["pack", "--ignore-scripts", "--json", "--pack-destination", folder],
    {
      cwd: root,
      encoding: "utf8",
    },
  );
  const [{ filename, size, files: listed }] = JSON.parse(packed) as [
    { filename: string; size: number; files: typeof files },
  ];
  tarball = join(folder, filename);
  files = listed;
  packedBytes = size;
  const modules = join(folder, "node_modules");
  mkdirSync(modules);
  execFileSync("tar", ["-xzf", tarball, "-C", modules]);
  cpSync(join(modules, "package"), join(modules, "global-proxy"), { recursive: true });
  rmSync(join(modules, "package"), { recursive: true });
  const { dependencies } = JSON.parse(readFileSync("package.json", "utf8")) as {
    dependencies: Record<string, string>;
  };
  for (const name of [...Object.keys(dependencies), "@types/node", "undici-types"]) {
    if (name.includes("/")) mkdirSync(join(modules, name.split("/")[0]!), { recursive: true });
    symlinkSync(join(root, "node_modules", name), join(modules, name));
  }
  writeFileSync(join(folder, "package.json"), '{ "name": "other", "type": "module" }');
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

const options = {
  target: "ES2023",
  module: "NodeNext",
  strict: true,
  exactOptionalPropertyTypes: true,
  noUncheckedIndexedAccess: true,
  skipLibCheck: false,
  types: ["node"],
};

const program = `
import { checkFile, type Config, formatProblem } from "global-proxy/config";
import { choice, definePolicy, integer, LowestScore, seededRandom, TieBreaker, type Policy, type PolicyDeps } from "global-proxy/policy";

export const policy = definePolicy({
  name: "mine",
  summary: "s",
  when: "w",
  options: {
    most: integer({ min: 1, default: 4, about: "a" }),
    by: choice(["bytes", "requests"], { default: "bytes", about: "a" }),
  },
  create({ pool, random }: PolicyDeps, { most, by }): Policy {
    const limit: number = most;
    const word: "bytes" | "requests" = by;
    // @ts-expect-error: by is no number
    const wrong: number = by;
    const lowest = new LowestScore(pool.size, random);
    const score = (engine: number) =>
      Math.min(limit, word === "bytes" ? pool.board.promptBytes(pool.slots[engine]!) : wrong);
    return { pick: (candidates, request) => lowest.of(candidates, request, score) };
  },
});
new TieBreaker(4).restart(Math.floor(seededRandom(1)() * 4));

const checked = await checkFile(process.argv[2]!);
if (checked.errors) for (const problem of checked.errors) console.log(formatProblem(problem));
else {
  const config: Config = checked.config;
  console.log(Object.entries(config.pools).map(([name, pool]) => [name, pool.policy.name].join(" ")).join(", "));
}
`;

it("types hold under strict settings, and the program runs", () => {
  writeFileSync(join(folder, "program.ts"), program);
  const tsconfig = { compilerOptions: options, files: ["program.ts"] };
  writeFileSync(join(folder, "tsconfig.json"), JSON.stringify(tsconfig));
  const tsc = join(root, "node_modules/.bin/tsc");
  try {
    execFileSync(tsc, ["-p", folder], { encoding: "utf8" });
  } catch (error) {
    throw new Error((error as { stdout: string }).stdout);
  }
  const printed = (file: string) =>
    execFileSync(process.execPath, ["program.js", file], { cwd: folder, encoding: "utf8" });
  const example = join(
    folder,
    "node_modules/global-proxy/examples/custom-policy/global-proxy.yaml",
  );
  expect(printed(example)).toBe("prefill custom, decode least_kv\n");
  writeFileSync(
    join(folder, "wrong.yaml"),
    "pools: { p: { engines: [], policy: { name: leest_conn } } }\n",
  );
  expect(printed("wrong.yaml")).toContain('did you mean "least_conn"?');
});

it.each(["global-proxy", "global-proxy/dist/config/load.js", "global-proxy/policies/registry"])(
  "%s is private",
  (name) => {
    writeFileSync(join(folder, "private.mjs"), `await import(${JSON.stringify(name)});\n`);
    const run = () =>
      execFileSync(process.execPath, ["private.mjs"], { cwd: folder, stdio: "pipe" });
    expect(run).toThrow(/ERR_PACKAGE_PATH_NOT_EXPORTED/);
  },
);

it("has what is needed and nothing else, within the size that docs/deploy.md names", () => {
  const paths = files.map(({ path }) => path);
  const top = new Set(paths.map((path) => path.split("/")[0]));
  const expected = [
    "LICENSE",
    "README.md",
    "bin",
    "config.schema.json",
    "dist",
    "docs",
    "examples",
    "package.json",
  ];
  expect([...top].sort()).toEqual(expected);
  const kinds = /\.(js|d\.ts)$|\/LICENCES$|\/dashboard\.json$/;
  expect(paths.filter((path) => path.startsWith("dist/") && !kinds.test(path))).toEqual([]);
  for (const path of [
    "bin/global-proxy",
    "dist/LICENCES",
    "dist/dashboard.json",
    "dist/proxy/worker/worker-thread.js",
  ]) {
    expect(paths).toContain(path);
  }
  const page = readFileSync("docs/deploy.md", "utf8");
  const [, megabytes] = /The package has at most ([\d.]+) MB/.exec(page) ?? [];
  expect(packedBytes).toBeLessThanOrEqual(Number(megabytes) * 1e6);
});

it("starts where it is installed", () => {
  const elsewhere = mkdtempSync(join(tmpdir(), "gp-installed-"));
  try {
    writeFileSync(join(elsewhere, "package.json"), '{ "name": "elsewhere" }');
    const switches = ["--omit=optional", "--prefer-offline", "--no-audit", "--no-fund"];
    execFileSync("npm", ["install", ...switches, tarball], { cwd: elsewhere, stdio: "pipe" });
    const printed = execFileSync("node_modules/.bin/global-proxy", ["demo", "--once"], {
      cwd: elsewhere,
      encoding: "utf8",
    });
    expect(printed).toMatch(/ on Node [\s\S]*KV cache: transferred/);
  } finally {
    rmSync(elsewhere, { recursive: true, force: true });
  }
});
