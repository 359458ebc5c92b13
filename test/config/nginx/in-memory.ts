/** Loads configurations from memory. */

import { expect } from "vitest";
import { loadNginx, type NginxResult } from "../../../src/config/nginx/load.ts";
import { partMatcher } from "../../../src/config/nginx/syntax/files.ts";
import { formatProblem } from "../../../src/config/problems/problem.ts";
import { type ConfigInput, configSchema } from "../../../src/config/schema/schema.ts";

interface Options {
  /** Other files, by path. Files live in /conf. */
  readonly files?: Readonly<Record<string, string>>;
  readonly globalDirectives?: string;
}

export function load(
  text: string,
  { files = {}, globalDirectives = "" }: Options = {},
): NginxResult {
  const all = new Map(Object.entries({ "/conf/nginx.conf": text, ...files }));
  return loadNginx("/conf/nginx.conf", {
    prefix: "/prefix",
    globalDirectives,
    read: (path) => {
      const content = all.get(path);
      if (content === undefined) throw Object.assign(new Error("ENOENT"), { code: "ENOENT" });
      return content;
    },
    glob: (pattern) => [...all.keys()].filter(partMatcher(pattern)),
  });
}

/** What a configuration says, when there is nothing wrong with it. */
export function inputOf(text: string, options: Options = {}): ConfigInput {
  const result = load(text, options);
  if (result.config === undefined) throw new Error(result.errors.map(formatProblem).join("\n"));
  return result.input;
}

/** The problems as they are printed, errors first, without `in /conf/nginx.conf`. */
export function problemsOf(text: string, options: Options = {}): string[] {
  const { errors = [], notices } = load(text, options);
  return [...errors, ...notices].map((problem) =>
    formatProblem(problem).replaceAll(" in /conf/nginx.conf", ""),
  );
}

export function inServer(text: string): string {
  return `events {} http { server { listen 8080; ${text} } }`;
}

/** With one upstream, `engines`. */
export function inLocation(text: string): string {
  return `events {} http { upstream engines { server 127.0.0.1:8000; } server { location / { ${text} } } }`;
}

export function inUpstream(text: string): string {
  return `events {} http { upstream engines { ${text} } server { location / { proxy_pass http://engines; } } }`;
}

/** Loading any text ends, with a configuration that keeps its meaning or with errors that have a place. */
export function checkLoads(text: string): void {
  const result = load(text, { files: { "/conf/self.conf": text } });
  if (result.config === undefined) {
    expect(result.errors.length).toBeGreaterThan(0);
    for (const problem of result.errors) expect(formatProblem(problem)).toContain("[emerg]");
  } else {
    expect(configSchema.parse(result.input)).toEqual(result.config);
  }
}
