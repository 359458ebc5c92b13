/** A map gives the value that nginx's would: literals before expressions, expressions in order. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { configSchema } from "../../../src/config/schema/schema.ts";
import { describeWithNginx } from "../../nginx/harness/nginx.ts";
import { compile, see } from "./compiled.ts";
import { request } from "./contexts.ts";
import { get } from "./nginx-oracle.ts";
import { Both } from "./same-as-nginx.ts";

const http = `
  map $arg_a $kind {
    default "other $arg_a";
    "" none;
    GPT literal;
    gpt-4 "exact";
    "~^gpt-(\\d+)" "number $1";
    ~^gpt- second;
    "~*^LLAMA-(?<size>\\d+)b$" "llama of $size";
    ~*lla insensitive;
    \\~tilde tilde;
    "two words" spaced;
  }
  map "$arg_a|$arg_b" $both { default 0; "x|y" 1; }
  map $kind $of_map { default "[$kind]"; literal "from a map"; }
  map $arg_a $no_default { yes 1; }
  server { listen unix:%dir%/main.sock;
    location / { return 200 "$kind / $both / $of_map / $no_default / $size"; }
  }`;

const queries = `
  a= a=gpt a=GPT a=gpt-4 a=GPT-4 a=gpt-40 a=GPT-40 a=gpt-x a=llama-7b a=Llama-70B a=llama a=LLA
  a=x&b=y a=X&b=Y a=x a=yes a=YES a=~tilde a=other b=y
`
  .trim()
  .split(/\s+/);

describeWithNginx("maps as nginx has them", () => {
  let both: Both;
  beforeAll(async () => {
    // Our loader takes no literal that begins with a tilde; both have the same otherwise.
    both = await Both.start(http.replace("\\~tilde tilde;", ""));
  });
  afterAll(() => both.stop());

  it.each(queries)("%s", async (query) => {
    const text = get(`/?${query}`);
    expect(both.ours(text)).toEqual(await both.theirs(text));
  });
});

/** Maps of YAML, which has no tilde trouble, with one route that shows a template. */
function shown(maps: readonly object[], template: string, target: string, path = "/"): string {
  const config = configSchema.parse({
    maps,
    servers: [
      {
        listen: [{ port: 1 }],
        routes: [
          {
            match: { kind: "regex", path: `^${path}(.*)$` },
            steps: [{ return: { status: 200, text: template } }],
          },
        ],
      },
    ],
  });
  return see(compile(config), request(target)).body!;
}

describe("a map", () => {
  it("that needs itself is empty, and ends no worker", () => {
    const maps = [
      { source: "$b", variable: "a", default: "a$b", entries: [] },
      { source: "$a", variable: "b", default: "b$a", entries: [] },
    ];
    expect(shown(maps, "[$a] [$b]", "/")).toBe("[ab] [ba]");
  });

  it("may be named as a method of every object", () => {
    const maps = [{ source: "", variable: "constructor", default: "x", entries: [] }];
    expect(shown(maps, "$constructor", "/")).toBe("x");
  });

  it("leaves the numbered captures of the location as they are, before and after", () => {
    const maps = [
      { source: "$uri", variable: "m", default: "", entries: [{ match: "~(b+)", value: "<$1>" }] },
    ];
    expect(shown(maps, "$1 $m $1 $m", "/abbc")).toBe("abbc <bb> abbc <bb>");
  });

  it("takes a literal that begins with a tilde behind a backslash", () => {
    const entries = [{ match: "\\~x", value: "tilde" }];
    const maps = [{ source: "$arg_a", variable: "m", default: "none", entries }];
    expect(shown(maps, "$m", "/?a=~x")).toBe("tilde");
  });
});
