/**
 * Makes the program one file that needs no runtime and no `node_modules`, for machines like this one: `build/global-
 * proxy`, or in the folder that is named. The licences of what is in it come beside it. `npm run build:executable`
 * runs this.
 */
import { execFileSync } from "node:child_process";
import { copyFileSync, existsSync, mkdirSync, readdirSync } from "node:fs";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const folder = resolve(process.argv[2] ?? join(root, "build"));

const bun = findBun();
if (bun === undefined) {
  process.stderr.write("The package bun is missing, of which the executable is made: run npm ci\n");
  process.exit(1);
}
mkdirSync(folder, { recursive: true });
const switches = [
  "--compile",
  // Both spare time at each start: what is compiled already, and what need not be read.
  "--bytecode",
  "--minify-syntax",
  "--minify-whitespace",
  "--format=esm",
  // As in bin/global-proxy: none of these is the operator's word to this proxy.
  "--no-compile-autoload-dotenv",
  "--no-compile-autoload-bunfig",
];
const outfile = join(folder, "global-proxy");
execFileSync(bun, ["build", ...switches, "src/cli/executable.ts", "--outfile", outfile], {
  cwd: root,
  stdio: ["ignore", "ignore", "inherit"],
});
copyFileSync(join(root, "dist/LICENCES"), join(folder, "LICENCES"));
process.stdout.write(`${outfile}\n`);

/** As bin/global-proxy looks for it: install scripts may be off. */
function findBun() {
  const modules = join(root, "node_modules");
  const platforms = join(modules, "@oven");
  const candidates = [
    join(modules, "bun/bin/bun.exe"),
    ...(existsSync(platforms) ? readdirSync(platforms) : []).map((name) =>
      join(platforms, name, "bin/bun"),
    ),
  ];
  return candidates.find(runs);
}

function runs(file) {
  try {
    execFileSync(file, ["--version"], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}
