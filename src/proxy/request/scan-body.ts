/**
 * Finds the members of a request's body, where a dialect or the guard of KV transfers has a say in them, and rejects
 * what no engine is to see or would serve.
 */
import type { JsonProblem } from "../../body/json/problem.ts";
import { scanTopLevel, type TopLevel } from "../../body/json/top-level.ts";
import {
  hidesTransferFields,
  isEncoded,
  linesHideTransferFields,
  listHidesTransferFields,
} from "../../dialects/transfer-guard.ts";
import { type Outcome, outcomes } from "../context/outcomes.ts";
import { refused } from "../context/refused.ts";
import type { RequestContext } from "../context/request-context.ts";
import type { Route } from "../routing/route.ts";
import { rejectedLimits } from "./rejected-limits.ts";

const brace = 0x7b;
const bracket = 0x5b;

export interface Scans {
  takeTopLevel(): TopLevel;
  giveTopLevel(members: TopLevel): void;
}

/**
 * Sets the members of the context; a body that need not be an object may go on without them, as it came.
 *
 * @param prefills the request has a prefill
 * @param mustBeObject something has to be read of the body, or changed in it
 * @returns why the request is refused
 */
export function scanBody(
  context: RequestContext,
  scans: Scans,
  route: Route,
  prefills: boolean,
  mustBeObject: boolean,
): Outcome | undefined {
  const { body, head } = context;
  const isLookedInto = mustBeObject || route.byEndpoint;
  if (isLookedInto && body.length > 0 && isEncoded(head.fields)) return outcomes.bodyEncoded;
  const isGuarded = route.byEndpoint && mayBeObject(context);
  if (!mustBeObject && !isGuarded) {
    return route.byEndpoint ? (refusedList(body) ?? refusedLines(body)) : undefined;
  }
  const problem = scanMembers(context, scans);
  if (problem === undefined) {
    const members = context.members!;
    if (!isGuarded) return undefined;
    if (hidesTransferFields(members)) return outcomes.transferField;
    return prefills ? rejectedLimits(context, members, route) : undefined;
  }
  if (mustBeObject || isReadElsewhere(problem, body)) return badJson(problem);
  return refusedLines(body);
}

/** Sets the members of the context, if the body is a JSON object; else says why it is none. */
export function scanMembers(context: RequestContext, scans: Scans): JsonProblem | undefined {
  if (context.members !== undefined) return undefined;
  const { body } = context;
  const members = scans.takeTopLevel();
  const problem = scanTopLevel(body, 0, body.length, members);
  if (problem === undefined) context.members = members;
  else scans.giveTopLevel(members);
  return problem;
}

function badJson({ detail, offset }: JsonProblem): Outcome {
  return refused(400, "GP_BAD_JSON", `${detail} (at byte ${offset})`);
}

/**
 * Whether an engine could read the body as a JSON object, by its first bytes and its type. False for forms, sounds,
 * lists and the like. Python reads UTF-16 and UTF-32 as well.
 */
function mayBeObject({ body, head }: RequestContext): boolean {
  if (body[firstAt(body)] === brace) return true;
  if (!isWide(body)) return false;
  const type = head.fields.get("content-type");
  return type === undefined || /json/i.test(type);
}

/** Lists of requests, as some engines take them: no field can be taken out of their elements. */
function refusedList(body: Buffer): Outcome | undefined {
  const at = firstAt(body);
  const found = body[at] === bracket && listHidesTransferFields(body, at);
  if (typeof found === "object") return isReadElsewhere(found, body) ? badJson(found) : undefined;
  return found ? outcomes.transferField : undefined;
}

/** Files of batches, which have a request in each line. */
function refusedLines(body: Buffer): Outcome | undefined {
  return linesHideTransferFields(body) ? outcomes.transferField : undefined;
}

/** Where the text begins, behind a byte order mark and white space. */
function firstAt(body: Buffer): number {
  let at = body[0] === 0xef && body[1] === 0xbb && body[2] === 0xbf ? 3 : 0;
  while (isSpace(body[at])) at += 1;
  return at;
}

function isSpace(byte: number | undefined): boolean {
  return byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;
}

/** Characters of two or four bytes: a byte order mark, or a zero among the first two. */
function isWide(body: Buffer): boolean {
  if (body.length < 2) return false;
  const mark = body.readUInt16BE(0);
  return mark === 0xfeff || mark === 0xfffe || body[0] === 0 || body[1] === 0;
}

/** Whether a parser that knows more than JSON, or has other limits, could make an object of what is none here. */
function isReadElsewhere({ code }: JsonProblem, body: Buffer): boolean {
  return (
    code === "too_deep" ||
    code === "too_many_members" ||
    isWide(body) ||
    body.includes("NaN") ||
    body.includes("Infinity")
  );
}
