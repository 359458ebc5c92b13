/** A regular expression of an operator must not let a client block a worker: what may is named at -t, with its place. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { mayTakeExponentialTime } from "../../../src/config/check/regex-ambiguity.ts";
import type { Runtime } from "../../../src/config/check/runtime.ts";
import { loadConfig } from "../../../src/config/load.ts";

const folder = mkdtempSync(join(tmpdir(), "global-proxy-test-"));
afterAll(() => rmSync(folder, { recursive: true }));
const runtime: Runtime = { name: "Node", version: "24.0.0", sharedPorts: true, cores: 4 };

/** As the package `recheck` 4.5 judges them, but for the look-around, which it does not know. */
describe("takes exponential time", () => {
  test.each([
    "^/(a+)+$",
    "^(a|a)*$",
    "^(a|aa)+$",
    "(x+x+)+y",
    "^(\\w+\\s?)*$",
    "^(a|b|ab)*c$",
    "(a*)*$",
    "(a*b*)*c",
    "(?:\\d{1,3}\\.?)+x",
    "([ab]c|[bd]c)+e",
    "(x|y?x)*z",
    "^(([a-z])+.)+[A-Z]([a-z])+$",
    "^([a-zA-Z0-9])(([\\-.]|[_]+)?([a-zA-Z0-9]+))*(@){1}[a-z0-9]+[.]{1}[a-z]{2,3}$",
    "(?<!a)(b+)*c",
    "(?=(a+)+b)",
    "(?<name>[\\x61]+)+\\u0062",
    "([^\\]x]+)*\\]",
  ])("%s", (pattern) => {
    expect(mayTakeExponentialTime(pattern)).toBe(true);
  });
});

describe("does not", () => {
  test.each([
    "",
    "~",
    "^/v1/.*$",
    "^/(.*)/(.*)$",
    "\\.(gif|jpg|png)$",
    "^/api/v(\\d+)/(?<rest>.*)$",
    "^qwen|^llama",
    "^/.*\\.php$",
    "^(?:/[^/]+)+/$",
    "^(\\d+\\.)+x$",
    "^([^/]*/)*x",
    "(?:\\d{2})+x",
    "(?:a?){30}a{30}",
    "(a{0,10}){0,10}b",
    "[a-z]+(?:,[a-z]+)*;",
    "^(?:meta-)?llama(?:-\\d+(?:\\.\\d+)?)*(?:-[a-z]+)*$",
    "^[\\w.-]*-v[\\w.-]*$",
    "^/v1/(?!admin)(?:chat/)?completions$",
    "x{1000}{0}",
    `(?:${"[a-z]".repeat(500)})*`,
  ])("%s", (pattern) => {
    expect(mayTakeExponentialTime(pattern)).toBe(false);
  });
});

test("each place in which an operator writes one is named", async () => {
  const file = join(folder, "nginx.conf");
  writeFileSync(
    file,
    `events {}
http {
  map $uri $a { ~^(a+)+$ x; }
  upstream d { server 127.0.0.1:1; }
  server {
    listen 80;
    server_name ~^(b+)+$;
    rewrite ^/(c+)+$ /x;
    location ~ ^/(d+)+$ { proxy_pass http://d; proxy_redirect ~^(e+)+$ /; }
    location ~ ^/fine/(\\d+)$ { proxy_pass http://d; }
  }
}`,
  );
  const loaded = await loadConfig({ file }, runtime);
  if ("errors" in loaded) throw new Error(JSON.stringify(loaded.errors));
  const found = loaded.notices.filter(({ message }) => message.includes("may take very long"));
  expect(found.map(({ message }) => /"\S*?([a-e])\+/.exec(message)?.[1]).sort()).toEqual([
    ..."abcde",
  ]);
  expect(found.every(({ level }) => level === "warn")).toBe(true);
});
