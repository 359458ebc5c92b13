/** Loading any file ends, with a configuration or with errors that have a place. */
import { readdirSync, readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, it } from "vitest";
import { allDirectives } from "../../../src/config/nginx/directives/registry.ts";
import { checkLoads } from "./in-memory.ts";

function confsIn(folder: string): string[] {
  return readdirSync(folder, { encoding: "utf8" })
    .filter((name) => name.endsWith(".conf"))
    .map((name) => readFileSync(`${folder}/${name}`, "utf8"));
}

const confs = [
  ...confsIn("test/golden/nginx"),
  ...confsIn("test/golden/nginx-errors"),
  ...confsIn("examples"),
  ...confsIn("examples/seed"),
];

const piece = fc.record({
  from: fc.double({ min: 0, max: 1, noNaN: true }),
  length: fc.nat(40),
});
const edit = fc.record({
  kind: fc.constantFrom("cut", "double", "move", "insert"),
  piece,
  to: fc.double({ min: 0, max: 1, noNaN: true }),
  text: fc.string({ unit: fc.constantFrom(..."{};\"'\\$#~*@=/:[]() \n0az"), maxLength: 5 }),
});

type Edit = typeof edit extends fc.Arbitrary<infer Value> ? Value : never;

function edited(text: string, { kind, piece, to, text: inserted }: Edit): string {
  const start = Math.floor(piece.from * text.length);
  const taken = text.slice(start, start + piece.length);
  const rest = text.slice(0, start) + text.slice(start + piece.length);
  const place = Math.floor(to * rest.length);
  if (kind === "cut") return rest;
  if (kind === "double") return text.slice(0, start) + taken + text.slice(start);
  const moved = kind === "move" ? taken : inserted;
  return rest.slice(0, place) + moved + rest.slice(place);
}

const names = [...new Set(allDirectives.map(({ name }) => name))];
const argument = fc.oneof(
  fc.string({ unit: fc.constantFrom(..."az09.:/*~=@$_-[]()\\+"), maxLength: 8 }),
  fc.constantFrom(
    "on",
    "off",
    "1m",
    "5s",
    "default",
    "__proto__",
    "constructor",
    "toString",
    "$__proto__",
  ),
  fc.constantFrom("http://a", "http://__proto__", "unix:/x", "stderr", "two", "=200", "~", "@a"),
  fc.constantFrom("weight=2", "max_fails=0", "backup", "if=$a", "escape=json", "buffer=1k"),
);
const directive = fc
  .record({
    name: fc.constantFrom(...names),
    args: fc.array(argument, { maxLength: 4 }),
    block: fc.constantFrom(";", ";", ";", "{}", "{ default a; ~b c; }"),
  })
  .map(({ name, args, block }) => [name, ...args.map((a) => `'${a}'`), block].join(" "));
const blocks = fc.record({
  main: fc.array(directive, { maxLength: 2 }),
  http: fc.array(directive, { maxLength: 3 }),
  upstream: fc.array(directive, { maxLength: 3 }),
  server: fc.array(directive, { maxLength: 3 }),
  location: fc.array(directive, { maxLength: 3 }),
});

describe("loading never throws and never hangs", () => {
  it("on any characters", () => {
    fc.assert(fc.property(fc.string({ unit: "binary", maxLength: 300 }), checkLoads));
  });

  it("on any bytes", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        checkLoads(Buffer.from(bytes).toString("utf8"));
      }),
    );
  });

  it("on real configurations with pieces removed, doubled and moved", () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...confs),
        fc.array(edit, { minLength: 1, maxLength: 4 }),
        (conf, edits) => checkLoads(edits.reduce(edited, conf)),
      ),
      { numRuns: 1000 },
    );
  });

  it("on every directive with any arguments, in every block", () => {
    fc.assert(
      fc.property(blocks, ({ main, http, upstream, server, location }) => {
        checkLoads(`${main.join("\n")} events {} http { ${http.join("\n")}
          upstream a { server 127.0.0.1:1; ${upstream.join("\n")} }
          upstream __proto__ { server 127.0.0.1:2; }
          server { ${server.join("\n")}
            location / { ${location.join("\n")} } } }`);
      }),
      { numRuns: 2000 },
    );
  });

  it("on names of members that every object has", () => {
    checkLoads(`events {} http {
      log_format __proto__ "$uri"; access_log a __proto__;
      upstream __proto__ { server 127.0.0.1:1; } upstream constructor { server 127.0.0.1:1; }
      map $uri $constructor { default toString; __proto__ a; }
      server { location / { proxy_set_header __proto__ a; proxy_pass http://__proto__; }
        location /b { proxy_pass http://constructor; return 200 $constructor; } } }`);
  });

  it("on long words, many directives and deep blocks", () => {
    const long = "a ".repeat(200_000);
    checkLoads(`events {} http { server { location / { ${"gzip on; ".repeat(20_000)} } } }`);
    checkLoads(`x "${long}`);
    checkLoads(`client_header_timeout "${"1 ".repeat(100_000)}";`);
    checkLoads(`events {} http { client_header_timeout "${"1 ".repeat(100_000)}x"; }`);
    checkLoads("{".repeat(100_000));
    checkLoads("a {".repeat(100_000));
    checkLoads(
      `events {} http { map $uri $x { ${Array.from({ length: 20_000 }, (_, i) => `k${i} v;`).join("")} } }`,
    );
    const locations = Array.from({ length: 900 }, (_, i) => `location /l${i} { return 200; }`);
    checkLoads(`events {} http { server { ${locations.join(" ")} } }`);
  });
});
