/** A body must come out as it came in, however it was cut, and stand in memory about once. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { bodyReserveFactor, bodyUnassembledBytesMax } from "../../../src/limits.ts";
import { BodyAssembly } from "../../../src/proxy/client/body-assembly.ts";

const assembled = (pieces: readonly Buffer[], bytesMax: number) => {
  const assembly = new BodyAssembly();
  // Each piece lies within a larger chunk, as one that ends a head or begins the next request does.
  for (const piece of pieces) {
    const chunk = Buffer.concat([Buffer.from("xx"), piece, Buffer.from("y")]);
    assembly.add(chunk, 2, 2 + piece.length, bytesMax);
  }
  return assembly.take();
};

test("any cut gives the same body, of known length and of unknown", () => {
  const sizes = fc.array(fc.integer({ min: 1, max: bodyUnassembledBytesMax }), { maxLength: 12 });
  fc.assert(
    fc.property(sizes, fc.boolean(), (lengths, isKnown) => {
      const pieces = lengths.map((length, index) => Buffer.alloc(length, index + 1));
      const whole = Buffer.concat(pieces);
      expect(assembled(pieces, isKnown ? whole.length : 2 ** 30).equals(whole)).toBe(true);
    }),
    { numRuns: 30 },
  );
});

test("a small body in one piece is not copied", () => {
  const chunk = Buffer.from("body");
  const assembly = new BodyAssembly();
  assembly.add(chunk, 0, 4, 4);
  expect(assembly.take()).toBe(chunk);
});

test("a large body of known length is in memory of its own length", () => {
  const bytes = 20 * bodyUnassembledBytesMax;
  const pieces = Array.from({ length: 20 }, () => Buffer.alloc(bodyUnassembledBytesMax, 1));
  expect(assembled(pieces, bytes).buffer.byteLength).toBe(bytes);
});

test("a client that announces much and sends little reserves little", () => {
  const assembly = new BodyAssembly();
  const come = bodyUnassembledBytesMax + 1;
  assembly.add(Buffer.alloc(come), 0, come, 2 ** 40);
  expect(assembly.take().buffer.byteLength).toBe(come * bodyReserveFactor);
});

test("what is taken is not touched by the next body", () => {
  const assembly = new BodyAssembly();
  const size = bodyUnassembledBytesMax + 1;
  assembly.add(Buffer.alloc(size, 1), 0, size, size);
  const first = assembly.take();
  assembly.add(Buffer.alloc(size, 2), 0, size, size);
  expect(first.equals(Buffer.alloc(size, 1))).toBe(true);
  expect(assembly.take().equals(Buffer.alloc(size, 2))).toBe(true);
});
