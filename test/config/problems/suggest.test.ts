/** A typing error in a configuration is answered with the word that was meant. */
import { expect, test } from "vitest";
import { nearestWord } from "../../../src/config/problems/suggest.ts";

test.each([
  ["lenght_balance", ["least_conn", "length_balance"], "length_balance"],
  ["enginess", ["engines", "policy"], "engines"],
  ["Engines", ["engines"], "engines"],
  ["warning", ["warn", "error"], "warn"],
  ["keepalive_timeot", ["keepalive", "keepalive_timeout"], "keepalive_timeout"],
  ["pot", ["port", "host"], "port"],
  ["nixl", ["vllm-nixl", "vllm-mooncake"], "vllm-nixl"],
  ["xyz", ["port", "host"], undefined],
  ["", ["port"], undefined],
])("%s, among %j, means %s", (word, known, expected) => {
  expect(nearestWord(word, known)).toBe(expected);
});
