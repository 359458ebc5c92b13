/** A map gives the value that nginx's would: literals before expressions, expressions in order. */
import { describe, expect, it } from "vitest";
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
  map $uri $first { default $uri; }
  map $uri $now { volatile; default $uri; }
  map $arg_host $site {
    hostnames; default none;
    example.org exact; *.example.org star; .both.org both; www.* www; a.b.* longer; a.* shorter;
    ~^re(?<rest>.*)$ "re $rest"; *.deep.example.org deep;
  }
  geo $arg_ip $net {
    default none;
    10.0.0.0/8 ten; 10.1.0.0/16 ten-one; 10.1.2.3 "one host"; 10.1.2.4/30 thirty; 10.9.0.0/16 gone;
    delete 10.9.0.0/16; 255.255.255.255 broken; ::/0 six; 2001:db8::/32 doc; 2001:db8::1 "doc one";
  }
  geo $arg_ip $range {
    ranges; default none; 10.0.0.1-10.0.0.6 six; 10.0.0.3-10.0.0.3 three; 10.1.0.0-10.2.255.255 many;
  }
  geo $arg_ip $cut {
    ranges; 10.0.0.0-10.0.0.9 ten; 10.0.0.3-10.0.0.4 inner; delete 10.0.0.4-10.0.0.4; delete 10.0.0.0-10.0.0.0;
  }
  geo $arg_ip $forwarded { default none; proxy 192.168.0.0/16; 10.0.0.0/8 ten; 192.168.0.0/16 own; }
  geo $arg_ip $through {
    default none; proxy 192.168.0.0/16; proxy_recursive; 10.0.0.0/8 ten; 192.168.0.0/16 own;
  }
  split_clients "$arg_s" $split { 0.5% half; 10% tenth; 33.33% third; * rest; }
  split_clients "x$arg_s" $some { 50% half; }
  server { listen unix:%dir%/main.sock;
    location /host { return 200 "$site [$rest]"; }
    location /geo { return 200 "$net / $range / $cut / $forwarded / $through"; }
    location /split { return 200 "$split / $some"; }
    location /cached { set $seen "$first $now"; rewrite ^ /then last; }
    location /then { return 200 "$seen / $first $now"; }
    location /args { set $args "x=1&y=2"; return 200 "$ARGS $arg_x $Query_String $is_args $request_uri"; }
    location /own { set $http_x own; return 200 "$http_x $HTTP_Y"; }
    location /unset { return 200 "$http_x [$seen]"; }
    location ~ ^/case/(?<Letter>.)$ { return 200 $LETTER; }
    location / { return 200 "$kind / $both / $of_map / $no_default / $size"; }
  }`;

const queries = `
  a= a=gpt a=GPT a=gpt-4 a=GPT-4 a=gpt-40 a=GPT-40 a=gpt-x a=llama-7b a=Llama-70B a=llama a=LLA
  a=x&b=y a=X&b=Y a=x a=yes a=YES a=~tilde a=other b=y
`
  .trim()
  .split(/\s+/)
  .map((query) => `/?${query}`);

const hosts =
  "example.org EXAMPLE.org. a.example.org both.org x.both.org www.com www. a.b.c a.c re-x deep.example.org x.deep.example.org x";
const addresses =
  "10.0.0.0 10.0.0.4 10.0.0.5 10.0.0.9 10.0.0.1 10.0.0.3 10.0.0.6 10.0.0.7 10.1.0.1 10.1.2.3 10.1.2.6 10.9.0.1 10.2.255.255 10.3.0.0 11.0.0.0 x 255.255.255.255 " +
  "::1 2001:db8::1 2001:db8::2 2001:DB8:0:0:0:0:0:1 ::ffff:10.1.2.3 192.168.1.1 2001:db9::1.2.3.4";

const others = [
  ...hosts.split(" ").map((host) => `/host?host=${host}`),
  ...addresses.split(" ").map((ip) => `/geo?ip=${ip}`),
  ...Array.from(
    { length: 40 },
    (_, index) => `/split?s=${"client-of-some-length".slice(index % 21)}${index}`,
  ),
  "/split",
  "/cached",
  "/args?z=3",
  "/own",
  "/unset",
  "/case/x",
];

const forwarders: readonly string[] = [
  "10.1.1.1",
  "10.1.1.1, 192.168.0.9",
  "x",
  "10.1.1.1, 192.168.0.9,",
  "",
  "[2001:db8::1]:80",
  "10.1.1.1:80",
];

describeWithNginx("maps as nginx has them", () => {
  const both = Both.forTests(http);

  it.each([...queries, ...others])("%s", async (target) => {
    const text = get(target, "a.example", "X-X: header", "X-Y: other", "X: given", "Y: given");
    expect(both.ours(text)).toEqual(await both.theirs(text));
  });
});

describeWithNginx("addresses behind proxies as nginx has them", () => {
  const both = Both.forTests(http);

  it.each(forwarders)("%s", async (forwarded) => {
    for (const ip of ["192.168.0.1", "10.0.0.1", "x"]) {
      const text = get(`/geo?ip=${ip}`, "a.example", `X-Forwarded-For: ${forwarded}`);
      expect(both.ours(text)).toEqual(await both.theirs(text));
    }
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
