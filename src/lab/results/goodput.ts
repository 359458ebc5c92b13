/** The search for goodput: the highest rate at which enough requests meet the SLO. */

/** Rate scales that are tried first, and the widest range: the trace may be of a much smaller or larger fleet. */
const usualScales = { least: 0.02, most: 16 };
export const searchedScales = { least: 0.0005, most: 4096 };

/**
 * The highest scale at which a share of at least `least` is attained, to within 1 %, by bisection over the logarithm; 0
 * = at none.
 * @param attains the share at a scale
 * @param most no higher scale is tried
 */
export function highestScale(
  attains: (scale: number) => number,
  least: number,
  most = searchedScales.most,
): number {
  let low = usualScales.least;
  let high = Math.min(most, usualScales.most);
  let hasFailed = false;
  if (attains(low) < least) {
    high = low;
    low = searchedScales.least;
    hasFailed = true;
    if (attains(low) < least) return 0;
  }
  for (;;) {
    while (high / low > 1.01) {
      const middle = Math.sqrt(low * high);
      if (attains(middle) >= least) low = middle;
      else {
        high = middle;
        hasFailed = true;
      }
    }
    if (hasFailed || high === most) return low;
    high = Math.min(most, high * usualScales.most);
  }
}
