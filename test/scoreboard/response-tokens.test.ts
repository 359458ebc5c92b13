/**
 * Tokens that a policy believes to be in an engine's KV cache are those of what is in flight there: nothing is left of
 * what has ended.
 */
import fc from "fast-check";
import { expect, it } from "vitest";
import { Lease } from "../../src/scoreboard/lease.ts";
import { createScoreboardMemory, Scoreboard } from "../../src/scoreboard/scoreboard.ts";

const workers = 2;
const slots = 2;

it("after any order of requests, responses, ends and deaths of workers", () => {
  const index = { worker: fc.nat(workers - 1), slot: fc.nat(slots - 1) };
  const commands = fc.array(
    fc.oneof(
      fc.record({ kind: fc.constant("begin" as const), ...index, tokens: fc.nat(1_000_000) }),
      fc.record({ kind: fc.constant("answer" as const), which: fc.nat(), tokens: fc.nat(500) }),
      fc.record({ kind: fc.constant("end" as const), which: fc.nat() }),
      fc.record({ kind: fc.constant("death" as const), worker: index.worker }),
    ),
    { maxLength: 60 },
  );
  fc.assert(
    fc.property(commands, (all) => {
      const memory = createScoreboardMemory({ workers, slots });
      const boards = Array.from({ length: workers }, (_, i) => new Scoreboard(memory, i));
      let open: { worker: number; slot: number; prompt: number; response: number; lease: Lease }[] =
        [];
      for (const command of all) {
        if (command.kind === "begin") {
          const { worker, slot, tokens } = command;
          const board = boards[worker]!;
          board.take(slot, 1, 0, 1, tokens);
          const lease = new Lease(board, slot, 1, 1, undefined, -1, tokens);
          open.push({ worker, slot, prompt: tokens, response: 0, lease });
        } else if (command.kind === "death") {
          boards[0]!.closeRow(command.worker);
          open = open.filter(({ worker }) => worker !== command.worker);
        } else if (open.length > 0) {
          const one = open[command.which % open.length]!;
          if (command.kind === "answer") {
            one.lease.addResponseTokens(command.tokens);
            one.response += command.tokens;
          } else {
            one.lease.close();
            // What comes after the end belongs to nobody.
            one.lease.addResponseTokens(7);
            one.lease.close();
            open = open.filter((other) => other !== one);
          }
        }
        for (let slot = 0; slot < slots; slot += 1) {
          const there = open.filter((one) => one.slot === slot);
          const prompts = there.reduce((sum, { prompt }) => sum + prompt, 0);
          const answers = there.reduce((sum, { response }) => sum + response, 0);
          for (const board of boards) {
            expect(board.promptTokens(slot)).toBe(prompts);
            expect(board.responseTokens(slot)).toBe(answers);
            expect(board.kvTokens(slot)).toBe(prompts + answers);
          }
        }
      }
    }),
  );
});

it("how long requests took, lately: the first counts wholly, and a slot's next engine begins anew", () => {
  const board = new Scoreboard(createScoreboardMemory({ workers: 1, slots: 1 }), 0);
  expect([board.firstByteMs(0), board.serviceMs(0)]).toEqual([0, 0]);
  board.observe(0, 100, 1_000);
  expect([board.firstByteMs(0), board.serviceMs(0)]).toEqual([100, 1_000]);
  for (let i = 0; i < 60; i += 1) board.observe(0, 10, 20);
  expect(board.firstByteMs(0)).toBeCloseTo(10, 0);
  expect(board.serviceMs(0)).toBeLessThan(23);
  board.clearSlot(0);
  expect([board.firstByteMs(0), board.serviceMs(0)]).toEqual([0, 0]);
});
