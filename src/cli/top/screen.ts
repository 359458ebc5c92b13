/** A full-screen page in a terminal: drawn in place, so that it does not flicker, and put away at the end. */
import { print } from "../print.ts";

const enter = "\u001b[?1049h\u001b[?25l";
const leave = "\u001b[?25h\u001b[?1049l";
const home = "\u001b[H";
const clearLine = "\u001b[K";
const clearBelow = "\u001b[J";

export class Screen {
  readonly #input = process.stdin;
  readonly #output = process.stdout;
  readonly #onKey: (key: string) => void;
  readonly #onResize: () => void;
  readonly #key = (text: string) => {
    for (const key of text) this.#onKey(key);
  };

  constructor(onKey: (key: string) => void, onResize: () => void) {
    this.#onKey = onKey;
    this.#onResize = onResize;
  }

  get columns(): number {
    return this.#output.columns ?? 80;
  }

  get rows(): number {
    return this.#output.rows ?? 24;
  }

  open(): void {
    print(enter);
    this.#output.on("resize", this.#onResize);
    if (!this.#input.isTTY) return;
    this.#input.setRawMode(true);
    this.#input.setEncoding("utf8");
    this.#input.on("data", this.#key);
    this.#input.resume();
  }

  /** In one write: each line replaces the one that was there. */
  draw(lines: readonly string[]): void {
    print(`${home}${lines.map((line) => line + clearLine).join("\r\n")}${clearBelow}`);
  }

  close(): void {
    this.#output.off("resize", this.#onResize);
    if (this.#input.isTTY) {
      this.#input.off("data", this.#key);
      this.#input.setRawMode(false);
      this.#input.pause();
    }
    print(leave);
  }
}
