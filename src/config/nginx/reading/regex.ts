/** Regular expressions of nginx (PCRE) → those of JavaScript, or the reason why that is not possible. */

export interface JsRegex {
  readonly pattern: string;
  readonly ignoreCase: boolean;
  /** Named captures, which become variables. */
  readonly names: readonly string[];
}

/** The meaning of `[:name:]` inside brackets. */
const posixClasses: ReadonlyMap<string, string> = new Map([
  ["alnum", "A-Za-z0-9"],
  ["alpha", "A-Za-z"],
  ["blank", " \\t"],
  ["cntrl", "\\x00-\\x1f\\x7f"],
  ["digit", "0-9"],
  ["graph", "!-~"],
  ["lower", "a-z"],
  ["print", " -~"],
  ["punct", "!-\\/:-@\\[-`{-~"],
  ["space", "\\s"],
  ["upper", "A-Z"],
  ["word", "\\w"],
  ["xdigit", "0-9A-Fa-f"],
]);

/** Escapes of PCRE that JavaScript would silently read as the letter itself. */
const escapes: Readonly<Record<string, string>> = {
  A: "^",
  z: "$",
  Z: "(?=\\n?$)",
  h: "[ \\t]",
  a: "\\x07",
  e: "\\x1b",
};
const escapesInClass: Readonly<Record<string, string>> = { h: " \\t", a: "\\x07", e: "\\x1b" };
/** Letters and digits whose escape means the same in both. */
const sharedEscapes = /[bBdDwWsSnrtfvxc0-9k]/;

/** @throws Error with a message for the operator */
export function translateRegex(source: string): JsRegex {
  const flags = /^\(\?(i)\)/.exec(source);
  const translator = new Translator(source, flags?.[0].length ?? 0);
  const pattern = translator.run();
  try {
    new RegExp(pattern);
  } catch (error) {
    // V8 repeats the expression before the reason; JavaScriptCore begins with the reason.
    const { message } = error as Error;
    throw new Error(message.replace(/^Invalid regular expression: (?:\/.*\/\w*: )?/s, ""));
  }
  return { pattern, ignoreCase: flags !== null, names: translator.names };
}

class Translator {
  readonly names: string[] = [];
  readonly #source: string;
  #at: number;
  #inClass = false;

  constructor(source: string, start: number) {
    this.#source = source;
    this.#at = start;
  }

  run(): string {
    let pattern = "";
    while (this.#at < this.#source.length) pattern += this.#piece();
    return pattern;
  }

  #take(length: number): string {
    const taken = this.#source.slice(this.#at, this.#at + length);
    this.#at += length;
    return taken;
  }

  #match(expression: RegExp): RegExpExecArray | null {
    expression.lastIndex = this.#at;
    return expression.exec(this.#source);
  }

  #piece(): string {
    const char = this.#source[this.#at]!;
    if (char === "\\") return this.#escape();
    if (this.#inClass) return this.#inClassPiece(char);
    if (char === "[") return this.#openClass();
    return char === "(" ? this.#group() : this.#take(1);
  }

  #openClass(): string {
    this.#inClass = true;
    // In PCRE, a closing bracket that comes first is a literal.
    const [open] = this.#match(/\[\^?\]?/y) ?? ["["];
    this.#at += open.length;
    return open.endsWith("]") ? `${open.slice(0, -1)}\\]` : open;
  }

  #inClassPiece(char: string): string {
    const [posix, name = ""] = this.#match(/\[:(\^?\w+):\]/y) ?? [];
    if (posix !== undefined) {
      const members = posixClasses.get(name);
      if (members === undefined) throw new Error(`${posix} is not supported`);
      this.#at += posix.length;
      return members;
    }
    if (char === "]") this.#inClass = false;
    return this.#take(1);
  }

  #group(): string {
    const [comment] = this.#match(/\(\?#[^)]*\)/y) ?? [];
    if (comment !== undefined) {
      this.#at += comment.length;
      return "";
    }
    const [reference, referred] = this.#match(/\(\?P=(\w+)\)/y) ?? [];
    if (reference !== undefined) {
      this.#at += reference.length;
      return `\\k<${referred}>`;
    }
    const [opener, angled, quoted] = this.#match(/\(\?(?:P?<(?![=!])(\w+)>|'(\w+)')/y) ?? [];
    if (opener !== undefined) {
      this.#at += opener.length;
      const name = (angled ?? quoted)!;
      this.names.push(name);
      return `(?<${name}>`;
    }
    if (this.#match(/\(\?[a-zA-Z^-]+[:)]/y) !== null) {
      throw new Error("flags inside an expression are not supported, except a leading (?i)");
    }
    return this.#take(1);
  }

  #escape(): string {
    // What is quoted is a text; without an end it goes on to the last character.
    const [quoted, literal = ""] = this.#match(/\\Q(.*?)(?:\\E|$)/sy) ?? [];
    if (quoted !== undefined) {
      this.#at += quoted.length;
      return literal.replace(/[\\^$.*+?()[\]{}|/-]/g, "\\$&");
    }
    const letter = this.#source[this.#at + 1] ?? "";
    const replacement = (this.#inClass ? escapesInClass : escapes)[letter];
    if (replacement === undefined && /[A-Za-z0-9]/.test(letter) && !sharedEscapes.test(letter)) {
      throw new Error(`\\${letter} is not supported`);
    }
    // PCRE's \x{…} and \k{…}: JavaScript reads the braces as a count.
    if (this.#match(/\\[xk]\{/y) !== null) throw new Error(`\\${letter}{…} is not supported`);
    const taken = this.#take(2);
    return replacement ?? taken;
  }
}
