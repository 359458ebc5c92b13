/**
 * The seed's configuration, `examples/seed/nginx.conf`, unchanged but for its ports, and what else a test wants in it.
 */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { Engine } from "./stack.ts";

const file = fileURLToPath(new URL("../../examples/seed/nginx.conf", import.meta.url));

export interface SeedChanges {
  readonly port: number;
  readonly prefills: readonly Engine[];
  readonly decodes: readonly Engine[];
  /** Directives at the beginning of `http`, of the location with the prefill, and of `server`. */
  readonly http?: string;
  readonly location?: string;
  readonly server?: string;
}

/** Fails when the example is no longer what the changes were made for. */
export function seedConfig(changes: SeedChanges): string {
  const { port, prefills, decodes, http = "", location = "", server = "" } = changes;
  let text = readFileSync(file, "utf8");
  const replace = (from: string, to: string) => {
    if (text.split(from).length !== 2) throw new Error(`"${from}" is not once in the example`);
    text = text.replace(from, to);
  };
  [...prefills, ...decodes].forEach((engine, index) => {
    replace(`127.0.0.1:${8090 + index} `, `127.0.0.1:${engine.port} `);
  });
  replace("listen 8085;", `listen ${port};\n${server}`);
  replace("http {", `http {\n${http}`);
  replace("prefill /prefill_internal;", `prefill /prefill_internal;\n${location}`);
  return text;
}
