/** Who may use a location. */
import { parseAddress, parseNetworks } from "../../../values/networks.ts";
import { oneOf, reading } from "../../reading/arguments.ts";
import { anyHttp } from "../../reading/context.ts";
import { type Directive, honoured } from "../../reading/directive.ts";
import type { Scope } from "../../reading/scope.ts";
import type { Word } from "../../syntax/lexer.ts";

function readPeers(word: Word, scope: Scope): string {
  const { text } = word;
  if (text === "all") return text;
  if (text === "unix:") return "unix";
  const [network] = text.includes("-") ? [] : (parseNetworks(text) ?? []);
  if (network === undefined) scope.fail(`invalid parameter "${text}"`, word);
  const { value } = network;
  const given = parseAddress(text.split("/", 1)[0]!)!;
  if (value !== given.value) {
    const message = `low address bits of ${text} are meaningless`;
    scope.loading.report.warn(word.position, message);
  }
  return text;
}

const peers = reading(1, 1, ([word], scope) => readPeers(word!, scope));
const note = "An address, a network, `unix:` or `all`. The first one that matches decides.";

export const allow = honoured("allow", anyHttp, peers, "`access.rules[].allow`", {
  repeats: true,
  note,
});
export const deny = honoured("deny", anyHttp, peers, "`access.rules[].deny`", { repeats: true });
export const satisfy = honoured("satisfy", anyHttp, oneOf("all", "any"), "`access.satisfy`", {
  byDefault: "all",
});

export const accessDirectives: readonly Directive[] = [allow, deny, satisfy];
