/** Least squares with coefficients that are not negative: no cost of an engine is. */

export interface Sample {
  /** What each coefficient is multiplied by. */
  readonly factors: readonly number[];
  readonly value: number;
}

/**
 * The coefficients whose sums are nearest to the values, relative to these: 5 ms of 10 weigh more than 5 ms of 1,000.
 * There are so few coefficients that all choices of those that are not 0 are tried.
 */
export function leastSquares(samples: readonly Sample[]): number[] {
  const count = samples[0]?.factors.length ?? 0;
  let best = new Array<number>(count).fill(0);
  let leastError = Number.POSITIVE_INFINITY;
  for (let chosen = 1; chosen < 1 << count; chosen += 1) {
    const used = Array.from({ length: count }, (_, i) => i).filter((i) => chosen & (1 << i));
    const solved = solve(samples, used);
    if (solved?.every((value) => value >= 0) !== true) continue;
    const all = new Array<number>(count).fill(0);
    used.forEach((column, i) => {
      all[column] = solved[i]!;
    });
    const error = errorOf(samples, all);
    if (error < leastError * (1 - 1e-9)) {
      leastError = error;
      best = all;
    }
  }
  return best;
}

export function predicted(factors: readonly number[], coefficients: readonly number[]): number {
  return factors.reduce((sum, factor, i) => sum + factor * coefficients[i]!, 0);
}

function errorOf(samples: readonly Sample[], coefficients: readonly number[]): number {
  let error = 0;
  for (const { factors, value } of samples) {
    error += (predicted(factors, coefficients) / value - 1) ** 2;
  }
  return error;
}

/** Normal equations of the columns in use, by Gauss and Jordan; undefined where they do not tell the columns apart. */
function solve(samples: readonly Sample[], used: readonly number[]): number[] | undefined {
  // Columns are of very different sizes: tokens, and tokens squared.
  const sizes = used.map((i) => Math.max(...samples.map(({ factors }) => Math.abs(factors[i]!))));
  if (sizes.includes(0)) return undefined;
  const rows = samples.map(({ factors, value }) =>
    used.map((i, j) => factors[i]! / sizes[j]! / value),
  );
  const matrix = used.map((_, i) => [
    ...used.map((_, j) => rows.reduce((sum, row) => sum + row[i]! * row[j]!, 0)),
    rows.reduce((sum, row) => sum + row[i]!, 0),
  ]);
  for (let i = 0; i < used.length; i += 1) {
    const pivot = matrix.slice(i).reduce((a, b) => (Math.abs(b[i]!) > Math.abs(a[i]!) ? b : a));
    const place = matrix.indexOf(pivot);
    [matrix[i], matrix[place]] = [pivot, matrix[i]!];
    if (Math.abs(pivot[i]!) < 1e-12) return undefined;
    for (let row = 0; row < used.length; row += 1) {
      if (row === i) continue;
      const factor = matrix[row]![i]! / pivot[i]!;
      matrix[row] = matrix[row]!.map((cell, column) => cell - factor * pivot[column]!);
    }
  }
  return used.map((_, i) => matrix[i]!.at(-1)! / matrix[i]![i]! / sizes[i]!);
}
