/** The valid word that an unknown word was probably meant to be. */

/**
 * The candidate with the fewest typing errors (a letter too many, missing or wrong, or two swapped), if they are few
 * for the length of `word`: at most one up to five letters, then one per three letters. Letter case is ignored. If
 * there is none: a candidate that begins with the word, or the other way round, or that has it as one of its parts.
 */
export function nearestWord(word: string, candidates: Iterable<string>): string | undefined {
  const wanted = word.toLowerCase();
  const known = [...candidates];
  let best: string | undefined;
  let fewest = Math.max(1, Math.floor(wanted.length / 3)) + 1;
  for (const candidate of known) {
    if (Math.abs(candidate.length - wanted.length) >= fewest) continue;
    const errors = countErrors(wanted, candidate.toLowerCase());
    if (errors < fewest) {
      best = candidate;
      fewest = errors;
    }
  }
  return best ?? longerOrShorter(wanted, known) ?? withPart(wanted, known);
}

/** `did you mean "engines"?`, or undefined if no candidate is near. */
export function didYouMean(word: string, candidates: Iterable<string>): string | undefined {
  const nearest = nearestWord(word, candidates);
  return nearest === undefined ? undefined : `did you mean "${nearest}"?`;
}

/** `warn` for `warning`, or the other way round. */
function longerOrShorter(wanted: string, candidates: readonly string[]): string | undefined {
  for (const candidate of candidates) {
    const shorter = Math.min(candidate.length, wanted.length);
    if (shorter >= 4 && candidate.toLowerCase().slice(0, shorter) === wanted.slice(0, shorter)) {
      return candidate;
    }
  }
  return undefined;
}

/** `vllm-nixl` for `nixl`. */
function withPart(wanted: string, candidates: readonly string[]): string | undefined {
  return candidates.find((candidate) => candidate.toLowerCase().split("-").includes(wanted));
}

/** The Damerau-Levenshtein distance (optimal string alignment), row by row. */
function countErrors(a: string, b: string): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let row = 1; row <= a.length; row += 1) {
    const current = [row];
    for (let column = 1; column <= b.length; column += 1) {
      const same = a[row - 1] === b[column - 1];
      let errors = Math.min(
        last[column]! + 1,
        current[column - 1]! + 1,
        last[column - 1]! + (same ? 0 : 1),
      );
      const swapped =
        row > 1 && column > 1 && a[row - 1] === b[column - 2] && a[row - 2] === b[column - 1];
      if (swapped) errors = Math.min(errors, beforeLast[column - 2]! + 1);
      current.push(errors);
    }
    beforeLast = last;
    last = current;
  }
  return last[b.length]!;
}
