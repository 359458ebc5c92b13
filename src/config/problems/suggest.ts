/** The known word that an unknown one was probably meant to be. */

/**
 * The candidate with the fewest typing slips (a letter too many, too few, wrong, or two swapped) from `word`, if they are few
 * for its length: one up to three letters, then one more for each three letters. Letter case costs nothing. Failing that, one
 * that is the beginning of the other.
 */
export function nearestWord(word: string, candidates: Iterable<string>): string | undefined {
  const wanted = word.toLowerCase();
  const known = [...candidates];
  let best: string | undefined;
  let bestSlips = Math.max(1, Math.floor(wanted.length / 3)) + 1;
  for (const candidate of known) {
    if (Math.abs(candidate.length - wanted.length) >= bestSlips) continue;
    const slips = countSlips(wanted, candidate.toLowerCase());
    if (slips < bestSlips) {
      best = candidate;
      bestSlips = slips;
    }
  }
  return best ?? longerOrShorter(wanted, known);
}

/** `did you mean "engines"?`, or nothing when no candidate is near. */
export function didYouMean(word: string, candidates: Iterable<string>): string | undefined {
  const nearest = nearestWord(word, candidates);
  return nearest === undefined ? undefined : `did you mean "${nearest}"?`;
}

/** A candidate that the word begins with, or the other way round: `warning` for `warn`. */
function longerOrShorter(wanted: string, candidates: readonly string[]): string | undefined {
  for (const candidate of candidates) {
    const shorter = Math.min(candidate.length, wanted.length);
    if (shorter >= 4 && candidate.toLowerCase().slice(0, shorter) === wanted.slice(0, shorter)) {
      return candidate;
    }
  }
  return undefined;
}

/** Damerau's edit distance (optimal string alignment), by rows. */
function countSlips(a: string, b: string): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let row = 1; row <= a.length; row += 1) {
    const current = [row];
    for (let column = 1; column <= b.length; column += 1) {
      const same = a[row - 1] === b[column - 1];
      let slips = Math.min(
        last[column]! + 1,
        current[column - 1]! + 1,
        last[column - 1]! + (same ? 0 : 1),
      );
      const swapped =
        row > 1 && column > 1 && a[row - 1] === b[column - 2] && a[row - 2] === b[column - 1];
      if (swapped) slips = Math.min(slips, beforeLast[column - 2]! + 1);
      current.push(slips);
    }
    beforeLast = last;
    last = current;
  }
  return last[b.length]!;
}
