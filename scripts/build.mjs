/**
 * Writes the JavaScript of `dist/`, as few large files. As one file for each of the 700 modules, those of libraries
 * included, a process and each of its worker threads took two to three times the CPU time to start. `npm run build`
 * runs this, and `tsc -p tsconfig.build.json` for the types.
 */
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { build } from "rolldown";
import { buildPage } from "./build-page.mjs";

/** What is loaded by its name: by the launcher, as a worker thread, by other packages, by scripts and tests. */
const entries = [
  "cli/main",
  "cli/run",
  "cli/commands/engine",
  "config/api",
  "config/docs/generated-files",
  "control/admin/admin-page",
  "limits",
  "observe/metrics/metrics-page",
  "policies/api",
  "proxy/response/local/outcomes-page",
  "proxy/worker/worker-thread",
  "scoreboard/prefix-journal",
  "scoreboard/scoreboard",
];

/**
 * Small modules that most others import: else there is a file for each set of entries that share one. They import nothing
 * but each other, so no file waits for one that waits for it.
 */
const smallAndEverywhere =
  /\/src\/(limits\.ts|config\/problems|config\/values\/log-levels|scoreboard|observe\/(visible|metrics\/(?!metrics-page))|transport\/(clock|random)\.ts)/;

const libraryFolder = /^\/.*\/node_modules\/(@[^/]+\/)?[^/]+/;

const page = await buildPage();

/** The licences of the libraries whose code gets into `dist/` ask for their text beside it. */
const licences = {
  name: "licences",
  generateBundle() {
    const folders = [...this.getModuleIds(), ...page.moduleIds].flatMap(
      (id) => libraryFolder.exec(id)?.[0] ?? [],
    );
    const texts = [...new Set(folders)].map((folder) => {
      const name = readdirSync(folder).find((file) => /^LICENSE(\.md)?$/.test(file));
      return readFileSync(`${folder}/${name}`, "utf8");
    });
    this.emitFile({ type: "asset", fileName: "LICENCES", source: texts.sort().join("\n\n") });
  },
};

await build({
  input: Object.fromEntries(entries.map((name) => [name, `src/${name}.ts`])),
  cwd: new URL("..", import.meta.url).pathname,
  platform: "node",
  plugins: [licences],
  preserveEntrySignatures: "allow-extension",
  output: {
    dir: "dist",
    entryFileNames: "[name].js",
    // One folder deep, as `src/cli/`, whose modules name other files by their place.
    chunkFileNames: "parts/[name].js",
    codeSplitting: {
      includeDependenciesRecursively: false,
      groups: [{ name: "shared", test: smallAndEverywhere }],
    },
  },
});
writeFileSync(new URL("../dist/dashboard.json", import.meta.url), JSON.stringify(page.files));
