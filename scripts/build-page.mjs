/** Makes the dashboard's page of `dashboard/` and its libraries: one script, one style sheet, one document. */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { build } from "rolldown";

const root = fileURLToPath(new URL("..", import.meta.url));
const read = (file) => readFileSync(root + file, "utf8");

/** @returns the files by the paths that they are served at (`PageFiles`), and the modules that are in them */
export async function buildPage() {
  const { output } = await build({
    input: "dashboard/main.tsx",
    cwd: root,
    platform: "browser",
    write: false,
    tsconfig: `${root}dashboard/tsconfig.json`,
    output: { format: "esm", minify: true },
  });
  const [{ code, moduleIds }] = output;
  const file = (contentType, text) => ({ contentType: `${contentType}; charset=utf-8`, text });
  const style = read("node_modules/uplot/dist/uPlot.min.css") + read("dashboard/style.css");
  return {
    moduleIds,
    files: {
      "/": file("text/html", read("dashboard/index.html")),
      "/dashboard/page.js": file("text/javascript", code),
      "/dashboard/page.css": file("text/css", style),
      "/dashboard/icon.svg": file("image/svg+xml", read("dashboard/icon.svg")),
    },
  };
}
