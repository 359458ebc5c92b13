/** The JSON of a request, and what a parser loses: the digits of large numbers. */

import type { z } from "zod";
import { badRequest } from "./request-error.ts";

export interface JsonBody {
  /** As it arrived. */
  readonly text: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

/** Throws a RequestError unless the body is a JSON object in UTF-8. */
export function readJsonBody(body: Buffer): JsonBody {
  const text = decodeUtf8(body);
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    throw badRequest(`JSON decode error: ${(error as Error).message}`);
  }
  if (typeof json !== "object" || json === null || Array.isArray(json)) {
    throw badRequest("Input should be a valid dictionary.");
  }
  return { text, fields: json as Record<string, unknown> };
}

/** Throws a RequestError that names the first field that is wrong. */
export function check<T extends z.ZodType>(schema: T, json: unknown): z.output<T> {
  const result = schema.safeParse(json);
  if (result.success) return result.data;
  const issue = result.error.issues[0]!;
  const where = issue.path.join(".");
  throw badRequest(`${where || "body"}: ${issue.message}`, String(issue.path[0] ?? "") || null);
}

/**
 * The digits of the number, or of each number of the list, that follows the last such key; none when there is neither.
 * Inside a JSON string the key's last quote would have a backslash before it.
 */
export function integersOf(text: string, key: string): string[] {
  const at = text.lastIndexOf(`"${key}"`);
  if (at < 0) return [];
  const start = at + key.length + 2;
  const value = /^\s*:\s*(-?\d+|\[[-\d\s,]*\])/.exec(text.slice(start, start + listCharsMax))?.[1];
  return value?.match(/-?\d+/g) ?? [];
}

/** Enough for as many numbers as a request may have choices. */
const listCharsMax = 32_768;

function decodeUtf8(body: Buffer): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(body);
  } catch {
    throw badRequest("There was an error parsing the body: it is not UTF-8.");
  }
}
