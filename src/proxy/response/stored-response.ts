/**
 * Responses that their engine stores (`/v1/responses`). The id of each says which engine that is: requests that name it
 * find their way from any worker, after a reload, and through another proxy of the same engines, and nothing has to be
 * remembered here. Where tenants are known the id also says whose it is: it is the id of nothing for all others.
 */
import { createHash } from "node:crypto";
import type { Edits } from "../../body/edit/splice.ts";
import type { TopLevel } from "../../body/json/top-level.ts";
import type { RouteConfig } from "../../config/schema/schema.ts";
import type { IdGenerator } from "../../dialects/dialect.ts";
import {
  type Endpoint,
  isGenerating,
  type ResponseStorage,
} from "../../dialects/endpoints/endpoint.ts";
import { storedResponseId } from "../../dialects/endpoints/find-endpoint.ts";
import { storagePathOf } from "../../dialects/endpoints/storage-paths.ts";
import {
  isFalse,
  isSet,
  lacksRequired,
  memberValueOf,
} from "../../dialects/shared/member-facts.ts";
import { crc32Text } from "../../policies/shared/crc32.ts";
import type { Engine } from "../../pool/engine.ts";
import type { Pool } from "../../pool/pool.ts";
import { type Outcome, outcomes } from "../context/outcomes.ts";
import type { RequestContext } from "../context/request-context.ts";

/** Random digits, those of the tenant if any, the engine's. Without a tenant it is as long as engines' own ids. */
const ourId = /^resp_([0-9a-f]{24})([0-9a-f]{16})?([0-9a-f]{8})$/;
const tenantDigits = 16;
const randomDigits = 24;
const quote = 0x22;
/** `null` begins so. */
const letterN = 0x6e;
/** A longer value is no id. */
const idBytesMax = 130;

/** Of the address, and of the rank behind it: what stays the same however the engines are listed. */
function tagOf({ name }: Engine): string {
  return crc32Text(name).toString(16).padStart(8, "0");
}

/**
 * The engine finds a response by the whole id alone, so a tenant cannot put its own digits into the id of another. That
 * the other's are its own, too, has a chance of 2^-64 for each id.
 */
function tenantTag(tenant: string, random: string): string {
  const digest = createHash("sha256").update(`${random} ${tenant}`).digest("hex");
  return digest.slice(0, tenantDigits);
}

/**
 * Has the engine give its response such an id, unless the client gives one, wants nothing stored, or is rejected. A
 * tenant gives none: it could be that of another tenant's response, which the engine would replace.
 */
export function nameStoredResponse(
  edits: Edits,
  members: TopLevel,
  endpoint: Endpoint | undefined,
  engine: Engine,
  ids: IdGenerator,
  tenant: string,
): void {
  if (endpoint === undefined || !isGenerating(endpoint)) return;
  const { storage } = endpoint;
  if (storage === undefined) return;
  const isGiven = members.indexOf(storage.id) >= 0;
  if (isGiven && tenant === "") return;
  // Behind the client's: of a name that is there twice engines take the last one.
  if (!isGiven && (isFalse(members, storage.isStored) || lacksRequired(members, endpoint))) return;
  const random = ids.secret().slice(0, randomDigits);
  const owner = tenant === "" ? "" : tenantTag(tenant, random);
  edits.appendMember(storage.id, Buffer.from(`"resp_${random}${owner}${tagOf(engine)}"`));
}

/** The stored response that a request continues; "" = none. */
export function previousResponse(endpoint: Endpoint, members: TopLevel): string {
  const storage = isGenerating(endpoint) ? endpoint.storage : undefined;
  const value = storage && memberValueOf(members, storage.previous);
  if (value === undefined || value[0] !== quote || value.length > idBytesMax) return "";
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

/**
 * Why a request may not have what it names of all that is stored: for all but its tenant no response has this id. Ids
 * without a tenant are for requests without one.
 *
 * @param uri as engines get it
 * @param isBound whose a request is counts on this proxy; else ids of tenants are closed all the same
 */
export function storageRefusal(
  { members, tenant, head: { method } }: RequestContext,
  endpoint: Endpoint | undefined,
  { byEndpoint, sharedStorage }: RouteConfig,
  uri: string,
  isBound: boolean,
): Outcome | undefined {
  const { isShared, responseIds } = storagePathOf(uri);
  const isClosed = isBound && !sharedStorage;
  if (isShared) return isClosed ? outcomes.sharedStorage : undefined;
  if (responseIds.length === 0) return undefined;
  // Ids of such a route do not say whose they are.
  if (!byEndpoint) return isClosed ? outcomes.sharedStorage : undefined;
  const name = tenant?.name ?? "";
  const storage = endpoint && isGenerating(endpoint) ? endpoint.storage : undefined;
  const isCreated = storage !== undefined && method === "POST";
  const isNamed = endpoint?.servedBy === "storing-engine";
  // A list, or a spelling that another reader may take for one of these.
  if (isBound && !isCreated && !isNamed) return outcomes.unknownResponse;
  if (responseIds.some((id) => id !== "" && !isOwn(name, id))) return outcomes.unknownResponse;
  if (storage === undefined || members === undefined) return undefined;
  return continuesOwn(members, storage, name, isBound) ? undefined : outcomes.unknownResponse;
}

/** Whichever of several members an engine takes. */
function continuesOwn(
  members: TopLevel,
  { previous, conversation }: ResponseStorage,
  tenant: string,
  isBound: boolean,
): boolean {
  for (let at = members.indexOf(previous); at >= 0; at = members.indexOf(previous, at + 1)) {
    const value = members.value(at);
    if (value[0] === letterN) continue;
    if (value[0] !== quote) return false;
    if (!isOwn(tenant, value.toString("latin1", 1, value.length - 1))) return false;
  }
  return !isBound || !isSet(members, conversation);
}

function isOwn(tenant: string, id: string): boolean {
  const [, random = "", owner] = ourId.exec(id) ?? [];
  return tenant === "" ? owner === undefined : owner === tenantTag(tenant, random);
}

/** Index of the engine that stores the response; undefined = the id is not ours, or its engine has left the pool. */
export function holderOf(pool: Pool, id: string): number | undefined {
  const tag = id === "" ? undefined : ourId.exec(id)?.[3];
  if (tag === undefined) return undefined;
  return pool.engines.find((engine) => tagOf(engine) === tag)?.index;
}
