/** Where chance comes from outside of tests and simulations, which hand in a seeded source. */

/** Uniform in [0, 1). */
export const systemRandom = (): number => Math.random();
