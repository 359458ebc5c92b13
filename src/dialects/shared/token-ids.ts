/** Ids of tokens in streams: a proxy may need them where the client asks for none, and then hides them. */
import type { Edits } from "../../body/edit/splice.ts";
import { KeyName } from "../../body/json/key-name.ts";
import type { TopLevel } from "../../body/json/top-level.ts";
import { isTrue } from "./member-facts.ts";
import { setMember } from "./members.ts";

const stream = new KeyName("stream");
const returnTokenIds = new KeyName("return_token_ids");
const yes = Buffer.from("true");

/** Whether the client's own request asks for no ids in its stream. */
export function hidesIds(members: TopLevel): boolean {
  return isTrue(members, stream) && !isTrue(members, returnTokenIds);
}

export function askForIds(members: TopLevel, edits: Edits): void {
  setMember(members, edits, returnTokenIds, yes);
}
