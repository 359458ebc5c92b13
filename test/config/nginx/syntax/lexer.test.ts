/** Words and marks of nginx.conf are cut as nginx cuts them. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ConfSyntaxError, Lexer, type Token } from "../../../../src/config/nginx/syntax/lexer.ts";

function lex(text: string): Token[] {
  const lexer = new Lexer(text, "f");
  const tokens: Token[] = [];
  for (let token = lexer.next(); token.kind !== "end"; token = lexer.next()) tokens.push(token);
  return tokens;
}

/** Words as they are, marks as themselves. */
function brief(text: string): string[] {
  return lex(text).map((token) => (token.kind === "word" ? `[${token.text}]` : token.kind));
}

/** Writes a word so that it is read back as it is. */
function quoteWord(text: string): string {
  const escaped = text
    .replace(/["\\]/g, "\\$&")
    .replaceAll("\t", "\\t")
    .replaceAll("\r", "\\r")
    .replaceAll("\n", "\\n");
  return `"${escaped}"`;
}

describe("words as nginx cuts them", () => {
  it.each<[text: string, tokens: string[]]>([
    ["listen 80;", ["[listen]", "[80]", ";"]],
    ["http{", ["[http]", "{"]],
    ["a\tb\r\nc;", ["[a]", "[b]", "[c]", ";"]],
    ["a # b ; {\nc;", ["[a]", "[c]", ";"]],
    ["a#b;", ["[a#b]", ";"]],
    ["# only a comment", []],
    ["a}b;", ["[a}b]", ";"]],
    ["}a;", ["}", "[a]", ";"]],
    ["\"a b\" 'c d';", ["[a b]", "[c d]", ";"]],
    ['"a;{}#";', ["[a;{}#]", ";"]],
    ["\"it's\" '\"';", ["[it's]", '["]', ";"]],
    ['a"b"c;', ['[a"b"c]', ";"]],
    ['"a"{', ["[a]", "{"]],
    ['("$a" = "b")', ['[("$a"]', "[=]", "[b]", "[)]"]],
    ['"";', ["[]", ";"]],
    // biome-ignore lint/suspicious/noTemplateCurlyInString: nginx has the same notation.
    ["${a}b;", ["[${a}b]", ";"]],
    ["x${a{b;", ["[x${a]", "{", "[b]", ";"]],
    ["a{b;", ["[a]", "{", "[b]", ";"]],
    ["\\$a{b;", ["[\\$a]", "{", "[b]", ";"]],
    ["a\\;b;", ["[a\\;b]", ";"]],
    ["a\\ b;", ["[a\\ b]", ";"]],
    ["a\\{b;", ["[a\\{b]", ";"]],
    ['fo\\"o;', ['[fo"o]', ";"]],
    ["\\t\\r\\n\\\\\\d;", ["[\t\r\n\\\\d]", ";"]],
    ['"a\\"b\\\'c\\\\d\\.";', ["[a\"b'c\\d\\.]", ";"]],
    ["'(\\d+)';", ["[(\\d+)]", ";"]],
  ])("%j", (text, tokens) => {
    expect(brief(text)).toEqual(tokens);
  });
});

describe("what cannot be a word", () => {
  it.each<[text: string, message: string, line: number, column: number]>([
    ['a "b"c;', 'unexpected "c"', 1, 6],
    ['a\n  "b"#;', 'unexpected "#"', 2, 6],
    ['a "b"}', 'unexpected "}"', 1, 6],
    ['a "b', 'unexpected end of file, expecting ";" or "}"', 1, 3],
    ["a 'b\n\n", 'unexpected end of file, expecting ";" or "}"', 1, 3],
    ['a "b\\', 'unexpected end of file, expecting ";" or "}"', 1, 3],
  ])("%j", (text, message, line, column) => {
    const problem = caught(() => lex(text));
    expect([problem.message, problem.position]).toEqual([message, { file: "f", line, column }]);
  });
});

function caught(run: () => void): ConfSyntaxError {
  try {
    run();
  } catch (error) {
    if (error instanceof ConfSyntaxError) return error;
  }
  throw new Error("nothing was rejected");
}

describe("positions", () => {
  it("count lines inside quotes and comments, and columns in characters", () => {
    const tokens = lex('é a;\n# x\n"b\n\nc"  d {\r\n\te;');
    expect(tokens.map(({ position: { line, column } }) => `${line}:${column}`)).toEqual([
      ...["1:1", "1:3", "1:4"],
      ...["3:1", "5:5", "5:7"],
      ...["6:2", "6:3"],
    ]);
  });

  it("are missing in text from the command line, which has its own error at the end", () => {
    const lexer = new Lexer("daemon 'off", "command line", { fromCommandLine: true });
    expect(lexer.next().position).toEqual({ file: "command line", line: 0, column: 0 });
    const problem = caught(() => lexer.next());
    expect(problem.message).toBe('unexpected end of parameter, expecting ";"');
  });
});

describe("properties", () => {
  const word = fc.string({ unit: fc.constantFrom(..."ab \t\r\n\\\"'{};#$é☃") });

  it("a quoted word is read back as it was", () => {
    fc.assert(
      fc.property(fc.array(word), (words) => {
        const text = `${words.map(quoteWord).join(" ")} `;
        expect(lex(text).map((token) => (token as { text?: string }).text)).toEqual(words);
      }),
    );
  });

  it("every token begins where its position says", () => {
    fc.assert(
      fc.property(word, (text) => {
        const lines = text.split("\n");
        for (const token of lexed(text)) {
          const { line, column } = token.position;
          const first = lines[line - 1]![column - 1];
          if (token.kind !== "word") expect(first).toBe(token.kind);
          else expect(first).not.toMatch(/[\s;{}#]/);
        }
      }),
    );
  });

  it("any text ends or is rejected", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (text) => {
        expect(lexed(text).length).toBeLessThanOrEqual(text.length);
      }),
    );
  });
});

function lexed(text: string): Token[] {
  try {
    return lex(text);
  } catch (error) {
    expect(error).toBeInstanceOf(ConfSyntaxError);
    return [];
  }
}
