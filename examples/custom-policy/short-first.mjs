/**
 * Keeps some engines free for short prompts: the first `shortEngines` engines of the pool take prompts of less than `boundBytes`, the
 * others take the rest. Within a group, the engine with the fewest bytes of prompts in flight for its weight is taken. If a group has no
 * engine that can take the request, the other group does.
 *
 * Try it, from this folder:
 *
 *     npx global-proxy -t -c global-proxy.yaml        # loads this file and checks the options
 *     npx global-proxy -c global-proxy.yaml           # serves; a reload (-s reload) loads a changed file again
 *     npx global-proxy simulate --synthetic poisson:20 --policies 'least_bytes,custom?module=./short-first.mjs'
 *
 * What may stand in a definition, and what a policy is told, is in docs/extending.md.
 */
import { definePolicy, integer, LowestScore } from "global-proxy/policy";

export const policy = definePolicy({
  name: "short_first",
  summary: "Some engines are kept free for short prompts; fewest bytes in flight among them.",
  when: "short prompts must not wait behind long ones",
  options: {
    boundBytes: integer({ min: 1, default: 8_000, unit: "bytes", about: "Shorter prompts are short." }),
    shortEngines: integer({ min: 1, default: 1, about: "How many engines are for short prompts." }),
  },
  weights: "none",

  create({ pool, random }, { boundBytes, shortEngines }) {
    const { board, slots, weights } = pool;
    const lowest = new LowestScore(pool.size, random);
    const isOfGroup = (engine, request) => engine < shortEngines === request.bytes < boundBytes;
    const load = (engine) => board.promptBytes(slots[engine]) / weights[engine];
    // Engines of the other group come after all of the own one.
    const score = (engine, request) => load(engine) + (isOfGroup(engine, request) ? 0 : 2 ** 50);
    return {
      score,
      pick: (candidates, request) => lowest.of(candidates, request, score),
    };
  },
});
