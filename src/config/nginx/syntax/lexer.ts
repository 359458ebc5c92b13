/** nginx.conf text → words and marks (`;`, `{`, `}`), with nginx's quotes, escapes and comments. */
import { type Position, wholeFile } from "../../problems/problem.ts";

export interface Word {
  readonly text: string;
  /** Without a line in text that came from the command line. */
  readonly position: Position;
}

export type Token =
  | (Word & { readonly kind: "word" })
  | { readonly kind: ";" | "{" | "}" | "end"; readonly position: Position };

/** Thrown where the text is not nginx.conf. */
export class ConfSyntaxError extends Error {
  readonly position: Position;
  readonly hint: string | undefined;
  constructor(message: string, position: Position, hint?: string) {
    super(message);
    this.name = "ConfSyntaxError";
    this.position = position;
    this.hint = hint;
  }
}

export class Lexer {
  readonly #text: string;
  readonly #file: string;
  readonly #fromCommandLine: boolean;
  #at = 0;
  #line = 1;
  #lineStart = 0;

  constructor(text: string, file: string, options: { fromCommandLine?: boolean } = {}) {
    this.#text = text;
    this.#file = file;
    this.#fromCommandLine = options.fromCommandLine ?? false;
  }

  /** @throws ConfSyntaxError at what cannot be a token. */
  next(): Token {
    this.#skipBlanks();
    const position = this.#position();
    const first = this.#text[this.#at];
    switch (first) {
      case undefined:
        return { kind: "end", position };
      case ";":
      case "{":
      case "}":
        this.#at += 1;
        return { kind: first, position };
      case '"':
      case "'":
        return { kind: "word", text: this.#quoted(first, position), position };
      default:
        return { kind: "word", text: this.#unquoted(), position };
    }
  }

  /** nginx's words for a text that ends too early. */
  endProblem(position: Position, hint?: string): ConfSyntaxError {
    const message = this.#fromCommandLine
      ? 'unexpected end of parameter, expecting ";"'
      : 'unexpected end of file, expecting ";" or "}"';
    return new ConfSyntaxError(message, position, hint);
  }

  #position(): Position {
    if (this.#fromCommandLine) return wholeFile(this.#file);
    return { file: this.#file, line: this.#line, column: this.#at - this.#lineStart + 1 };
  }

  #skipBlanks(): void {
    for (; this.#at < this.#text.length; this.#advance()) {
      const char = this.#text[this.#at]!;
      if (isBlank(char)) continue;
      if (char !== "#") return;
      const end = this.#text.indexOf("\n", this.#at);
      this.#at = end < 0 ? this.#text.length : end;
      if (end < 0) return;
    }
  }

  #advance(): void {
    if (this.#text[this.#at] === "\n") {
      this.#line += 1;
      this.#lineStart = this.#at + 1;
    }
    this.#at += 1;
  }

  #quoted(quote: string, position: Position): string {
    this.#at += 1;
    const start = this.#at;
    while (this.#text[this.#at] !== quote) {
      if (this.#text[this.#at] === "\\") this.#advance();
      if (this.#at >= this.#text.length) {
        throw this.endProblem(position, `the quote ${quote} that begins here is not closed`);
      }
      this.#advance();
    }
    const text = unescapeWord(this.#text.slice(start, this.#at));
    this.#at += 1;
    const after = this.#text[this.#at];
    if (after !== undefined && !isBlank(after) && !";{)".includes(after)) {
      throw new ConfSyntaxError(`unexpected "${after}"`, this.#position());
    }
    return text;
  }

  /**
   * Ends at a blank, `;` or `{`; the brace of `${name}` belongs to the word. A `}` inside a word is an ordinary
   * character.
   */
  #unquoted(): string {
    const start = this.#at;
    let afterDollar = false;
    do {
      const char = this.#text[this.#at]!;
      // Of several braces after a dollar each belongs to the word: nginx does not count them.
      if (char !== "{" || !afterDollar) afterDollar = char === "$";
      if (char === "\\") this.#advance();
      this.#advance();
    } while (!this.#endsWord(afterDollar));
    return unescapeWord(this.#text.slice(start, this.#at));
  }

  #endsWord(afterDollar: boolean): boolean {
    const char = this.#text[this.#at];
    if (char === undefined || char === ";" || isBlank(char)) return true;
    return char === "{" && !afterDollar;
  }
}

function isBlank(char: string): boolean {
  return char === " " || char === "\t" || char === "\r" || char === "\n";
}

const escapes: Readonly<Record<string, string>> = {
  '\\"': '"',
  "\\'": "'",
  "\\\\": "\\",
  "\\t": "\t",
  "\\r": "\r",
  "\\n": "\n",
};

/** Other escapes stay as they are, backslash included, for the regular expression that they are part of. */
function unescapeWord(text: string): string {
  return text.replace(/\\["'\\trn]/g, (sequence) => escapes[sequence]!);
}
