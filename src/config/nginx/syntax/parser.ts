/** Words and marks → directives with their blocks. Included files are read in place. */
import { basename, dirname, isAbsolute, join } from "node:path";
import { type Position, wholeFile } from "../../problems/problem.ts";
import { describeOpenError } from "../../problems/system-error.ts";
import { ConfSyntaxError, Lexer, type Word } from "./lexer.ts";
import type { Report } from "./report.ts";

/** One directive as it stands in the file. */
export interface ConfNode {
  readonly name: Word;
  readonly args: readonly Word[];
  /** Undefined when the directive ends in `;`. */
  readonly block?: readonly ConfNode[];
}

/** The files of a configuration. An interface, so that tests need no disk. */
export interface ConfFiles {
  /** The text of a file. Throws what `node:fs` throws. */
  read(path: string): string;
  /** The files that match a pattern with `*`, `?` or `[…]`. */
  glob(pattern: string): readonly string[];
}

/** Bounds on the work that one configuration may cause. */
const blockDepthMax = 50;
const includeDepthMax = 20;
const filesMax = 1000;
const charactersMax = 16_777_216;

const patternCharacters = /[*?[]/;
/** Lua has its own quotes and comments, so its blocks cannot be read as nginx.conf. */
const luaBlock = /_by_lua(_block)?$/;

export class Parser {
  readonly #files: ConfFiles;
  readonly #report: Report;
  /** Included paths start here: the folder of the first file. */
  readonly #folder: string;
  /** The files that are being read, outermost first. */
  readonly #open: string[] = [];
  #filesRead = 0;
  #charactersRead = 0;

  constructor(file: string, files: ConfFiles, report: Report) {
    this.#folder = dirname(file);
    this.#files = files;
    this.#report = report;
  }

  /** @throws ConfSyntaxError at the first syntax error: what follows cannot be understood. */
  parseFile(path: string, from?: Position): ConfNode[] {
    const place = from ?? wholeFile(path);
    this.#checkBounds(path, place);
    const text = this.#read(path, place);
    this.#charactersRead += text.length;
    if (this.#charactersRead > charactersMax) {
      throw new ConfSyntaxError("the configuration is larger than 16 MiB", place);
    }
    this.#open.push(path);
    const nodes = this.#parseBlock(new Lexer(text, path), undefined, 0);
    this.#open.pop();
    return nodes;
  }

  /** Directives from the command line (`-g`). */
  parseText(text: string, name: string): ConfNode[] {
    return this.#parseBlock(new Lexer(text, name, { fromCommandLine: true }), undefined, 0);
  }

  #parseBlock(lexer: Lexer, opener: Position | undefined, depth: number): ConfNode[] {
    const nodes: ConfNode[] = [];
    for (;;) {
      const token = lexer.next();
      if (token.kind === "word") {
        const node = this.#parseDirective(lexer, token, depth);
        nodes.push(...(node.name.text === "include" ? this.#include(node) : [node]));
      } else if (token.kind === ";") {
        const message = 'unexpected ";" ignored';
        this.#report.notice(";", token.position, message, "remove one of the two semicolons");
      } else if (token.kind === "{") {
        throw new ConfSyntaxError('unexpected "{"', token.position);
      } else if (token.kind === "}") {
        if (opener === undefined) throw new ConfSyntaxError('unexpected "}"', token.position);
        return nodes;
      } else {
        if (opener === undefined) return nodes;
        const hint = `the block that begins at line ${opener.line} is not closed`;
        throw new ConfSyntaxError('unexpected end of file, expecting "}"', token.position, hint);
      }
    }
  }

  #parseDirective(lexer: Lexer, name: Word, depth: number): ConfNode {
    const args: Word[] = [];
    for (;;) {
      const token = lexer.next();
      if (token.kind === "word") args.push(wordOf(token));
      else if (token.kind === ";") return { name: wordOf(name), args };
      else if (token.kind === "{") {
        if (luaBlock.test(name.text)) throw luaProblem(name);
        if (depth >= blockDepthMax) {
          throw new ConfSyntaxError(`blocks nest deeper than ${blockDepthMax}`, token.position);
        }
        const block = this.#parseBlock(lexer, token.position, depth + 1);
        return { name: wordOf(name), args, block };
      } else if (token.kind === "}") {
        throw new ConfSyntaxError('unexpected "}"', token.position, missingSemicolon(name, args));
      } else throw lexer.endProblem(token.position, missingSemicolon(name, args));
    }
  }

  #include({ name, args, block }: ConfNode): ConfNode[] {
    if (block !== undefined) {
      throw new ConfSyntaxError('directive "include" is not terminated by ";"', name.position);
    }
    const [target] = args;
    if (target === undefined || args.length > 1) {
      const message = 'invalid number of arguments in "include" directive';
      throw new ConfSyntaxError(message, name.position);
    }
    const path = isAbsolute(target.text) ? target.text : join(this.#folder, target.text);
    if (!patternCharacters.test(path)) return this.parseFile(path, target.position);
    const found = [...this.#files.glob(path)].sort();
    return found.flatMap((file) => this.parseFile(file, target.position));
  }

  #checkBounds(path: string, place: Position): void {
    if (this.#open.includes(path)) throw new ConfSyntaxError(`"${path}" includes itself`, place);
    if (this.#open.length > includeDepthMax) {
      throw new ConfSyntaxError(`files include each other deeper than ${includeDepthMax}`, place);
    }
    this.#filesRead += 1;
    if (this.#filesRead > filesMax) {
      throw new ConfSyntaxError(`more than ${filesMax} files are included`, place);
    }
  }

  #read(path: string, place: Position): string {
    try {
      return this.#files.read(path);
    } catch (error) {
      // Engines name their types themselves, so a configuration need not bring nginx's list of them.
      if (basename(path) === "mime.types") {
        this.#report.notice(
          "mime.types",
          place,
          `"${path}" does not exist: the types of files are those of a short list`,
        );
        return "";
      }
      throw new ConfSyntaxError(describeOpenError(path, error as NodeJS.ErrnoException), place);
    }
  }
}

function wordOf({ text, position }: Word): Word {
  return { text, position };
}

/** Without its `;`, a directive takes the next line as arguments. */
function missingSemicolon(name: Word, args: readonly Word[]): string {
  const last = args.at(-1) ?? name;
  const stray = args.find(({ position }) => position.line > name.position.line);
  const line = stray === undefined ? last.position.line : name.position.line;
  return `a ";" may be missing after "${name.text}" in line ${line}`;
}

function luaProblem({ text, position }: Word): ConfSyntaxError {
  const message = `the "${text}" directive is not supported: Lua does not run here`;
  return new ConfSyntaxError(message, position, "use map, set, rewrite and return");
}
