/**
 * The same nginx.conf and the same raw requests to Debian's nginx and to the proxy on two runtimes: clients and engines
 * get the same, byte by byte, but for what `harness/normalise.ts` takes out.
 *
 * To add a case, add an entry to a table of `cases/` (its fields: `harness/case.ts`), or a table, with a line in
 * `cases/registry.ts`. Run the cases whose subject or name has some words: `npx vitest run test/nginx/wire -t "WORDS"`.
 * All cases share one start of each program, so what each of them does must concern its own server block and engines.
 *
 * If a difference is meant, it has an entry in `src/config/docs/nginx-differences.ts`, and the case names it: `differs`.
 * `npx vitest run -u` then writes what both got into `test/golden/wire/`, for the review.
 */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { bunAndOneNode } from "../support/runtimes.ts";
import { subjects } from "./cases/registry.ts";
import type { WireCase } from "./harness/case.ts";
import { describeWithNginx } from "./harness/nginx.ts";
import { Bench, type Group } from "./harness/run.ts";

const shared = subjects.filter(({ main, http }) => main === undefined && http === undefined);
const groups: readonly (Group & { readonly name: string })[] = [
  { name: "shared", cases: shared.flatMap(({ cases }) => cases) },
  ...subjects.filter((one) => !shared.includes(one)).map((one) => ({ ...one, name: one.subject })),
];
const subjectOf = new Map(subjects.flatMap((one) => one.cases.map((it) => [it, one.subject])));
const titleOf = (one: WireCase, runtime: string) =>
  `${subjectOf.get(one)}: ${one.name} (${runtime})`;
const runtimes = bunAndOneNode("wire");

/** Where a case's two sides are kept that are meant to differ. */
function goldenOf(one: WireCase): string {
  const words = one.name.replaceAll(/[^a-zA-Z0-9]+/g, "-").toLowerCase();
  return `../golden/wire/${subjectOf.get(one)}/${words}.txt`;
}

describeWithNginx("on the wire", () => {
  describe.each(groups)("$name", (group) => {
    const results = new Map<string, ReadonlyMap<WireCase, string>>();
    let bench: Bench | undefined;

    // biome-ignore lint/correctness/noEmptyPattern: Vitest reads from the pattern that no fixture is needed.
    beforeAll(async ({}, { tasks }) => {
      const wanted = new Set(tasks.filter(({ mode }) => mode === "run").map(({ name }) => name));
      const isWanted = (one: WireCase) =>
        runtimes.some((runtime) => wanted.has(titleOf(one, runtime)));
      bench = await Bench.prepare({ ...group, cases: group.cases.filter(isWanted) });
      for (const program of ["nginx", ...runtimes] as const) {
        results.set(program, await bench.run(program));
      }
    });
    afterAll(() => bench?.remove());

    for (const runtime of runtimes) {
      for (const one of group.cases) {
        test(titleOf(one, runtime), async () => {
          const theirs = results.get("nginx")?.get(one);
          const ours = results.get(runtime)?.get(one);
          expect(theirs).toBeDefined();
          if (one.differs === undefined) expect(ours).toBe(theirs);
          else {
            expect(ours, "no longer differs: take `differs` away").not.toBe(theirs);
            const both = `===== nginx\n${theirs}\n\n===== here\n${ours}\n`;
            await expect(both).toMatchFileSnapshot(goldenOf(one));
          }
        });
      }
    }
  });
});

test("each case has a name of its own", () => {
  const names = subjects.flatMap(({ cases }) => cases.map((one) => titleOf(one, "")));
  expect(names.filter((name, index) => names.indexOf(name) !== index)).toEqual([]);
});
