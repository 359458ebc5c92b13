/** What is wrong with a request is said so that its sender can mend it, and no secret of it is repeated. */
import { expect, test } from "vitest";
import { z } from "zod";
import { readBody } from "../../../src/control/admin/problem.ts";
import { adminProblem } from "../../../src/control/admin/response.ts";

const schema = z.union([z.string(), z.looseObject({ name: z.string() })]).describe("A name.");

test.each([
  ["", "the body is empty"],
  ["{{{", "the body is no JSON"],
  ["[]", "of another form: A name."],
])("%j is refused: %s", (body, says) => {
  expect(() => readBody(schema, Buffer.from(body))).toThrow(says);
});

test("a password and a key that a request had are not in the response", () => {
  const said = 'invalid engine "http://u:pass-1@h:1?key=pass-2", Bearer pass-3';
  const { body } = adminProblem(400, "bad_request", said);
  expect(body).toContain("invalid engine");
  expect(body).not.toMatch(/pass-\d/);
});
