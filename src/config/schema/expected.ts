/** What the schema expects at a path, in words: for error messages and the documentation. */
import { z } from "zod";
import type { ConfigPath } from "../problems/fault.ts";
import { configSchema } from "./schema.ts";

/** The parts of JSON Schema that zod generates for our schema. */
export interface JsonSchema {
  readonly type?: string;
  readonly description?: string;
  readonly default?: unknown;
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly additionalProperties?: boolean | JsonSchema;
  readonly required?: readonly string[];
  readonly items?: JsonSchema;
  readonly anyOf?: readonly JsonSchema[];
  readonly oneOf?: readonly JsonSchema[];
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minLength?: number;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly pattern?: string;
}

let known: JsonSchema | undefined;

/** The JSON Schema of a file, before defaults are filled in. Made when it is asked for: it takes 40 ms of a start. */
export function inputSchema(): JsonSchema {
  known ??= z.toJSONSchema(configSchema, { io: "input" }) as JsonSchema;
  return known;
}

/** The branches of a union; the schema itself if it is none. */
export function alternatives(schema: JsonSchema): readonly JsonSchema[] {
  return schema.anyOf ?? schema.oneOf ?? [schema];
}

/** Schemas that can apply at a path: several if a union lies on the way. */
export function schemasAt(path: ConfigPath, root = inputSchema()): readonly JsonSchema[] {
  let schemas = alternatives(root);
  for (const step of path) {
    schemas = schemas.flatMap((schema) => {
      const child = childOf(schema, step);
      return child === undefined ? [] : alternatives(child);
    });
  }
  return schemas;
}

function childOf(schema: JsonSchema, step: string | number): JsonSchema | undefined {
  if (typeof step === "number") return schema.items;
  const named = schema.properties?.[step];
  if (named !== undefined) return named;
  return typeof schema.additionalProperties === "object" ? schema.additionalProperties : undefined;
}

/** Keys that the map at a path may have. */
export function keysAt(path: ConfigPath, root = inputSchema()): string[] {
  return [
    ...new Set(schemasAt(path, root).flatMap((schema) => Object.keys(schema.properties ?? {}))),
  ];
}

/** `a whole number from 1 to 64 or "auto"`. */
export function describeExpected(schemas: readonly JsonSchema[]): string {
  const words = schemas.map(describeOne);
  const objects = words.every((word) => word === "a map");
  if (objects) {
    const keys = [...new Set(schemas.flatMap((schema) => schema.required ?? []))];
    return schemas.length > 1 ? `a map with ${keys.join(" or ")}` : "a map";
  }
  return [...new Set(words)].join(" or ");
}

function describeOne(schema: JsonSchema): string {
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  if (schema.enum !== undefined) {
    const words = schema.enum.map((value) => JSON.stringify(value)).join(", ");
    return schema.enum.length === 1 ? words : `one of ${words}`;
  }
  switch (schema.type) {
    case "integer":
      return `a whole number${describeRange(schema)}`;
    case "number":
      return `a number${describeRange(schema)}`;
    case "boolean":
      return "true or false";
    case "string":
      return schema.minLength === undefined ? "text" : "text that is not empty";
    case "array":
      return describeList(schema);
    default:
      return "a map";
  }
}

function describeRange({ minimum, maximum }: JsonSchema): string {
  // Zod bounds every integer by the safe integers; no operator needs to hear of that.
  const most = maximum === Number.MAX_SAFE_INTEGER ? undefined : maximum;
  if (minimum !== undefined && most !== undefined) return ` from ${minimum} to ${most}`;
  if (minimum !== undefined) return ` of ${minimum} or more`;
  return most === undefined ? "" : ` of ${most} or less`;
}

function describeList({ minItems, maxItems }: JsonSchema): string {
  if (minItems !== undefined && maxItems !== undefined) {
    return `a list of ${minItems} to ${maxItems} items`;
  }
  if (minItems !== undefined) return `a list with ${minItems} or more items`;
  return maxItems === undefined ? "a list" : `a list of at most ${maxItems} items`;
}
