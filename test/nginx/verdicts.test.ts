/**
 * What nginx accepts or rejects is accepted or rejected here. Cases have no directives that only one of the two has.
 * Where the two differ on purpose, the difference is listed, and a test keeps the list true.
 */
import fc from "fast-check";
import { afterAll, expect, it } from "vitest";
import { ConfSyntaxError, Lexer } from "../../src/config/nginx/syntax/lexer.ts";
import { load } from "../config/nginx/in-memory.ts";
import { describeWithNginx } from "./harness/nginx.ts";
import { NginxOracle } from "./harness/nginx-verdict.ts";
import { acceptedCases } from "./verdicts/accepted-cases.ts";
import { differingCases } from "./verdicts/differing-cases.ts";
import { rejectedCases } from "./verdicts/rejected-cases.ts";
import { wordedCases } from "./verdicts/worded-cases.ts";

const nginx = new NginxOracle();
afterAll(() => nginx.close());

function ours(text: string): { accepted: boolean; message: string } {
  const wrapped = text.startsWith("!")
    ? text.slice(1)
    : `pid nginx.pid; events {} http { access_log off;\n${text}\n server { listen 9999; server_name z; } }`;
  const { errors = [] } = load(wrapped);
  return { accepted: errors.length === 0, message: errors[0]?.message ?? "" };
}

function theirs(text: string): { accepted: boolean; message: string } {
  return text.startsWith("!") ? nginx.test(text.slice(1)) : nginx.testHttp(text);
}

describeWithNginx("what nginx -t says", () => {
  it.each(acceptedCases)("both accept %j", (text) => {
    expect(theirs(text)).toEqual({ accepted: true, message: "" });
    expect(ours(text)).toEqual({ accepted: true, message: "" });
  });

  it.each(rejectedCases)("both reject %j", (text) => {
    expect(theirs(text).accepted).toBe(false);
    expect(ours(text).accepted).toBe(false);
  });

  it.each(wordedCases)("both reject %j in the same words", (text) => {
    const { accepted, message } = theirs(text);
    expect(accepted).toBe(false);
    expect(ours(text)).toEqual({ accepted: false, message });
  });

  it.each(differingCases)("nginx and we differ on %j: %s", (text, _reason, weAccept) => {
    expect(theirs(text).accepted).toBe(!weAccept);
    expect(ours(text).accepted).toBe(weAccept);
  });

  it("cuts words as nginx does", () => {
    const soup = fc.string({ unit: fc.constantFrom(...'ab  \t\n;;{}""\'\\#$)(tn'), maxLength: 12 });
    fc.assert(
      fc.property(soup, (text) => {
        const expected = firstProblem(text);
        fc.pre(expected !== undefined);
        expect(nginx.test(text).message).toBe(expected);
      }),
      { numRuns: 300 },
    );
  });

  const times = fc.string({
    unit: fc.constantFrom(..."1205 ywdhmsM "),
    minLength: 1,
    maxLength: 6,
  });
  it.each([
    ["a time", (value: string) => `server { client_header_timeout "${value}"; }`],
    ["seconds", (value: string) => `upstream a { server 127.0.0.1:1 "fail_timeout=${value}"; }`],
  ])("reads %s as nginx does", (_name, conf) => {
    fc.assert(
      fc.property(times, (value) => {
        expect([value, ours(conf(value)).accepted]).toEqual([value, theirs(conf(value)).accepted]);
      }),
      { numRuns: 200 },
    );
  });

  it("reads sizes as nginx does", () => {
    const sizes = fc.string({ unit: fc.constantFrom(..."0129kKmMgG -"), maxLength: 5 });
    fc.assert(
      fc.property(sizes, fc.boolean(), (value, big) => {
        const name = big ? "client_max_body_size" : "client_body_buffer_size";
        const conf = `server { ${name} "${value}"; }`;
        expect([conf, ours(conf).accepted]).toEqual([conf, theirs(conf).accepted]);
      }),
      { numRuns: 200 },
    );
  });
});

/** What nginx says first of a text in which no word is a directive: it reads one directive at a time. */
function firstProblem(text: string): string | undefined {
  const lexer = new Lexer(text, "f");
  const words: string[] = [];
  try {
    for (;;) {
      const token = lexer.next();
      if (token.kind === "word") words.push(token.text);
      else if (token.kind === "}") return 'unexpected "}"';
      else if (token.kind !== "end") {
        return words.length === 0
          ? `unexpected "${token.kind}"`
          : `unknown directive "${words[0]}"`;
      } else {
        // Of an empty file nginx misses the events block.
        return words.length === 0 ? undefined : lexer.endProblem(token.position).message;
      }
    }
  } catch (error) {
    if (error instanceof ConfSyntaxError) return error.message;
    throw error;
  }
}
