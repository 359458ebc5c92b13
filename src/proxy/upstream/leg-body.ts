/** The client's body as one leg is to have it, by the dialect's edits. */
import { Edits } from "../../body/edit/splice.ts";
import type { TopLevel } from "../../body/json/top-level.ts";
import type { Engines, KvTransfer } from "../../dialects/dialect.ts";
import { removeTransferFields } from "../../dialects/transfer-guard.ts";
import { renameModel } from "../context/engine-model.ts";
import { nameStoredResponse } from "../response/stored-response.ts";
import type { Route } from "../routing/route.ts";
import type { ForwardedRequest } from "./forwarded-request.ts";
import type { Leg } from "./leg.ts";
import { askForUsage, mayAskForUsage } from "./stream-usage.ts";

/** Valid until the next call. @param transfer undefined = the request goes to one engine alone */
export function legBody(
  { context, embeddings, endpoint, worker }: ForwardedRequest,
  members: TopLevel,
  route: Route,
  transfer: KvTransfer | undefined,
  leg: Leg,
  engines: Engines,
): Edits {
  const { dialect } = route;
  edits.start(members);
  removeTransferFields(members, edits);
  if (transfer === undefined) dialect.strip(members, edits);
  else if (leg.name === "prefill") transfer.prefillEdits(edits, engines);
  else {
    transfer.decodeEdits(edits, engines);
    dialect.merge?.decodeEdits?.(members, edits);
  }
  embeddings?.edit(members, edits);
  renameModel(members, edits, context.engineModel);
  if (leg.name !== "decode") return edits;
  nameStoredResponse(edits, members, endpoint, leg.engine!, worker.ids, context.tenant?.name ?? "");
  if (mayAskForUsage(route, context)) askForUsage(members, edits);
  return edits;
}

/** Shared by all requests of the worker: edits are made and written within one call. */
const edits = new Edits();
