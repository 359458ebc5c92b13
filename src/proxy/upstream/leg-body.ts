/** The client's body as one leg is to have it, by the dialect's edits. */
import { Edits } from "../../body/splice.ts";
import type { TopLevel } from "../../body/top-level.ts";
import type { Dialect, Engines, Handover } from "../../dialects/dialect.ts";
import type { Forwarded } from "../context/forwarded.ts";
import { nameKeptAnswer } from "../response/stored-response.ts";
import type { Leg } from "./leg.ts";

/** Valid until the next call. @param handover undefined = the leg is alone */
export function legBody(
  { embeddings, endpoint, service }: Forwarded,
  members: TopLevel,
  dialect: Dialect,
  handover: Handover | undefined,
  leg: Leg,
  engines: Engines,
): Edits {
  edits.begin(members);
  if (handover === undefined) dialect.strip(members, edits);
  else if (leg.name === "prefill") handover.prefillEdits(edits, engines);
  else {
    handover.decodeEdits(edits, engines);
    dialect.merge?.decodeEdits?.(members, edits);
  }
  embeddings?.edit(members, edits);
  if (leg.name === "decode") nameKeptAnswer(edits, members, endpoint, leg.engine!, service.mint);
  return edits;
}

/** Shared by all requests of the worker: edits are made and written within one call. */
const edits = new Edits();
