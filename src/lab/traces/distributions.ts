/** Random numbers of other shapes than uniform. */
import type { Random } from "../../policies/shared/seeded-random.ts";

/** A gap between two arrivals, of mean 1, with this coefficient of variation: 1 = of a Poisson process. */
export function gap(variation: number, random: Random): number {
  if (variation === 1) return -Math.log(1 - random());
  const shape = 1 / variation ** 2;
  return gamma(shape, random) / shape;
}

/** Marsaglia and Tsang, "A simple method for generating gamma variables" (2000). */
function gamma(shape: number, random: Random): number {
  if (shape < 1) return gamma(shape + 1, random) * (1 - random()) ** (1 / shape);
  const d = shape - 1 / 3;
  const c = 1 / Math.sqrt(9 * d);
  for (;;) {
    const x = gauss(random);
    const v = (1 + c * x) ** 3;
    if (v > 0 && Math.log(1 - random()) < x * x * 0.5 + d - d * v + d * Math.log(v)) return d * v;
  }
}

/** Standard normal (Box and Muller). */
export function gauss(random: Random): number {
  return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
}
