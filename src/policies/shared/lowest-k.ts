/**
 * The indexes with the lowest scores, the lowest first.
 * @param count indexes are 0 up to this, which is not included
 * @param most how many to return; no longer list is made
 */
export function lowestK(count: number, most: number, score: (number: number) => number): number[] {
  const found: number[] = [];
  const scores: number[] = [];
  for (let number = 0; number < count; number += 1) {
    const own = score(number);
    if (found.length === most && own >= scores.at(-1)!) continue;
    let at = Math.min(found.length, most - 1);
    for (; at > 0 && scores[at - 1]! > own; at -= 1) {
      scores[at] = scores[at - 1]!;
      found[at] = found[at - 1]!;
    }
    scores[at] = own;
    found[at] = number;
  }
  return found;
}
