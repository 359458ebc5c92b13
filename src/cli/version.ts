/** The version texts of `-v`, `-V` and the start line. */
import manifest from "../../package.json" with { type: "json" };
import type { Runtime } from "../config/check/runtime.ts";

export const { version }: { readonly version: string } = manifest;

export function versionLines(runtime: Runtime, details: boolean): string {
  const lines = [`global-proxy version: global-proxy/${version}`];
  if (details) {
    const { node, v8, uv } = process.versions;
    const api = runtime.name === "Bun" ? ` (API of Node ${node})` : ` (V8 ${v8}, libuv ${uv})`;
    lines.push(
      `runtime: ${runtime.name} ${runtime.version}${api}`,
      `platform: ${process.platform} ${process.arch}, ${runtime.cores} cores`,
      `several workers: ${runtime.sharedPorts ? "yes" : "no"}`,
    );
  }
  return `${lines.join("\n")}\n`;
}
