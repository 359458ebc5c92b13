/**
 * Finds regular expressions whose matching can take time that grows exponentially with the text, such as `(a+)+$`: two
 * ways round one loop consume the same characters. The expression is made a position automaton (Glushkov), and two
 * walks of it are followed at once (Weideman et al., "Analyzing matching time behavior of backtracking regular
 * expression matchers", CIAA 2016). It says nothing of what grows as a power, such as `.*.*x`.
 */

/** Which of the characters 0 to 255 a position takes, as bits; the last one stands for all others. */
type Characters = bigint;

/** A part of the expression: positions that can be its first and its last, and whether it can match nothing. */
interface Part {
  readonly first: readonly number[];
  readonly last: readonly number[];
  readonly isNullable: boolean;
}

const nothing: Part = { first: [], last: [], isNullable: true };
/** A larger automaton is not looked at; `x{n,m}` counts as so many copies at most. */
const positionsMax = 160;
const copiesMax = 6;
/** About 50 ms. */
const stepsMax = 500_000;
const samples: readonly string[] = [
  ...Array.from({ length: 256 }, (_, code) => String.fromCharCode(code)),
  "\u4e00",
];

/** @param pattern valid JavaScript */
export function mayTakeExponentialTime(pattern: string): boolean {
  try {
    const automaton = new Automaton(pattern);
    return automaton.isAmbiguous;
  } catch (error) {
    if (error instanceof TooLarge) return false;
    throw error;
  }
}

class TooLarge extends Error {}

class Automaton {
  readonly #pattern: string;
  #at = 0;
  #steps = 0;
  readonly #characters: Characters[] = [];
  readonly #follow: Set<number>[] = [];
  /** Steps that two parts of the expression allow: alone two ways for one walk. */
  readonly #doubled: (readonly [from: number, to: number])[] = [];

  constructor(pattern: string) {
    this.#pattern = pattern;
    this.#alternatives();
  }

  /** Whether a loop can be gone round in two ways by the same characters. */
  get isAmbiguous(): boolean {
    if (this.#doubled.some(([from, to]) => this.#reaches(to, from))) return true;
    const before = this.#follow.map(() => new Set<number>());
    this.#follow.forEach((nexts, from) => {
      for (const to of nexts) before[to]!.add(from);
    });
    return this.#characters.some((_, position) => this.#loopsTwice(position, before));
  }

  #reaches(from: number, to: number): boolean {
    const seen = new Set([from]);
    for (const one of seen) {
      if (one === to) return true;
      for (const next of this.#follow[one]!) seen.add(next);
    }
    return false;
  }

  /** Two walks begin here and end here, and are apart in between. */
  #loopsTwice(position: number, before: readonly Set<number>[]): boolean {
    const size = this.#characters.length;
    const start = position * size + position;
    const forth = this.#pairsFrom(start, this.#follow);
    const back = this.#pairsFrom(start, before);
    for (const pair of forth) {
      if (Math.floor(pair / size) !== pair % size && back.has(pair)) return true;
    }
    return false;
  }

  #pairsFrom(start: number, steps: readonly Set<number>[]): Set<number> {
    const size = this.#characters.length;
    const seen = new Set([start]);
    for (const pair of seen) {
      for (const left of steps[Math.floor(pair / size)]!) {
        for (const right of steps[pair % size]!) {
          this.#steps += 1;
          if (this.#steps > stepsMax) throw new TooLarge();
          if ((this.#characters[left]! & this.#characters[right]!) !== 0n)
            seen.add(left * size + right);
        }
      }
    }
    return seen;
  }

  #alternatives(): Part {
    let whole = this.#sequence();
    while (this.#take("|")) {
      const other = this.#sequence();
      whole = {
        first: [...whole.first, ...other.first],
        last: [...whole.last, ...other.last],
        isNullable: whole.isNullable || other.isNullable,
      };
    }
    return whole;
  }

  #sequence(): Part {
    let whole = nothing;
    while (this.#at < this.#pattern.length && !/[|)]/.test(this.#pattern[this.#at]!)) {
      whole = this.#joined(whole, this.#quantified());
    }
    return whole;
  }

  #joined(left: Part, right: Part): Part {
    this.#connect(left, right);
    return {
      first: left.isNullable ? [...left.first, ...right.first] : left.first,
      last: right.isNullable ? [...left.last, ...right.last] : right.last,
      isNullable: left.isNullable && right.isNullable,
    };
  }

  #connect({ last }: Part, { first }: Part): void {
    for (const from of last) {
      for (const to of first) {
        if (this.#follow[from]!.has(to)) this.#doubled.push([from, to]);
        this.#follow[from]!.add(to);
      }
    }
  }

  #quantified(): Part {
    const start = this.#at;
    const part = this.#atom();
    const end = this.#at;
    const [text, least, comma, most] = this.#match(/(?:[*+?]|\{(\d+)(,?)(\d*)\})\??/y) ?? [];
    if (text === undefined) return part;
    const sign = text[0]!;
    const min = sign === "{" ? Number(least) : sign === "+" ? 1 : 0;
    const max =
      sign === "?"
        ? 1
        : sign !== "{" || (comma && !most)
          ? Number.POSITIVE_INFINITY
          : Number(most || least);
    const after = this.#at;
    let whole = nothing;
    const copies = Math.min(copiesMax, Math.max(min, Number.isFinite(max) ? max : 1));
    for (let copy = 0; copy < copies; copy += 1) {
      let one = part;
      if (copy > 0) {
        this.#at = start;
        one = this.#atom();
      }
      const isLast = copy === copies - 1;
      if (isLast && !Number.isFinite(max)) this.#connect(one, one);
      whole = this.#joined(whole, copy < min ? one : { ...one, isNullable: true });
    }
    this.#at = Math.max(after, end);
    return whole;
  }

  #atom(): Part {
    const [group] = this.#match(/\((?:\?(?:<?[=!]|:|<\w+>))?/y) ?? [];
    if (group !== undefined) {
      const part = this.#alternatives();
      this.#take(")");
      // What looks around matches nothing itself.
      return /[=!]$/.test(group) ? nothing : part;
    }
    const [anchor] = this.#match(/[$^]|\\[bB]|\\[1-9]\d*|\\k<\w+>/y) ?? [];
    if (anchor !== undefined) return nothing;
    const [text] = this.#match(
      /\[(?:[^\]\\]|\\.)*\]|\\(?:x[\dA-Fa-f]{2}|u[\dA-Fa-f]{4}|c[A-Za-z]|.)|./sy,
    )!;
    return this.#position(text);
  }

  #position(text: string): Part {
    if (this.#characters.length >= positionsMax) throw new TooLarge();
    const one = new RegExp(`^${text}$`);
    const bits = samples.map((sample) => (one.test(sample) ? "1" : "0")).join("");
    const position = this.#characters.push(BigInt(`0b${bits}`)) - 1;
    this.#follow.push(new Set());
    return { first: [position], last: [position], isNullable: false };
  }

  #match(expression: RegExp): RegExpExecArray | null {
    expression.lastIndex = this.#at;
    const match = expression.exec(this.#pattern);
    this.#at += match?.[0].length ?? 0;
    return match;
  }

  #take(char: string): boolean {
    const isThere = this.#pattern[this.#at] === char;
    if (isThere) this.#at += 1;
    return isThere;
  }
}
