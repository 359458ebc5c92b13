/**
 * Responses that their engine stores (`/v1/responses`). The id of each says which engine that is: requests that name it
 * find their way from any worker, after a reload, and through another proxy of the same engines, and nothing has to be
 * remembered here.
 */
import type { Edits } from "../../body/edit/splice.ts";
import type { TopLevel } from "../../body/json/top-level.ts";
import type { IdGenerator } from "../../dialects/dialect.ts";
import { type Endpoint, isGenerating } from "../../dialects/endpoints/endpoint.ts";
import { storedResponseId } from "../../dialects/endpoints/find-endpoint.ts";
import { isFalse, lacksRequired, memberValueOf } from "../../dialects/shared/member-facts.ts";
import { crc32Text } from "../../policies/shared/crc32.ts";
import type { Engine } from "../../pool/engine.ts";
import type { Pool } from "../../pool/pool.ts";

/** As engines' own ids: 32 digits, of which here the last eight are the engine's. */
const ourId = /^resp_[0-9a-f]{24}([0-9a-f]{8})$/;
const randomDigits = 24;
/** A longer value is no id. */
const idBytesMax = 130;

/** Of the address, and of the rank behind it: what stays the same however the engines are listed. */
function tagOf({ name }: Engine): string {
  return crc32Text(name).toString(16).padStart(8, "0");
}

/** Has the engine give its response such an id, unless the client gives one, wants nothing stored, or is rejected. */
export function nameStoredResponse(
  edits: Edits,
  members: TopLevel,
  endpoint: Endpoint | undefined,
  engine: Engine,
  ids: IdGenerator,
): void {
  if (endpoint === undefined || !isGenerating(endpoint)) return;
  const { storage } = endpoint;
  if (storage === undefined || members.indexOf(storage.id) >= 0) return;
  if (isFalse(members, storage.isStored) || lacksRequired(members, endpoint)) return;
  const id = `"resp_${ids.secret().slice(0, randomDigits)}${tagOf(engine)}"`;
  edits.appendMember(storage.id, Buffer.from(id));
}

/** The stored response that a request continues; "" = none. */
export function previousResponse(endpoint: Endpoint, members: TopLevel): string {
  const storage = isGenerating(endpoint) ? endpoint.storage : undefined;
  const value = storage && memberValueOf(members, storage.previous);
  if (value === undefined || value[0] !== 0x22 || value.length > idBytesMax) return "";
  return value.toString("latin1", 1, value.length - 1);
}

/** The stored response that a request is about, by its path or its body; "" = none. */
export function requestedResponse(
  endpoint: Endpoint | undefined,
  path: string,
  members: TopLevel | undefined,
): string {
  if (endpoint?.servedBy === "storing-engine") return storedResponseId(path);
  return endpoint === undefined || members === undefined ? "" : previousResponse(endpoint, members);
}

/** Index of the engine that stores the response; undefined = the id is not ours, or its engine has left the pool. */
export function holderOf(pool: Pool, id: string): number | undefined {
  const tag = id === "" ? undefined : ourId.exec(id)?.[1];
  if (tag === undefined) return undefined;
  return pool.engines.find((engine) => tagOf(engine) === tag)?.index;
}
