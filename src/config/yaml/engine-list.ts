/**
 * A file that lists engines: as `engines` of a pool does, as texts, or in the form of Prometheus' `file_sd`, whose
 * groups have `targets` and `labels`.
 */
import { z } from "zod";
import { checkEngine } from "../check/check-engine.ts";
import { schemaFaults } from "../check/schema-faults.ts";
import { type ConfigFault, type ConfigPath, Faults } from "../problems/fault.ts";
import { type ConfigProblem, inFileOrder } from "../problems/problem.ts";
import type { JsonSchema } from "../schema/expected.ts";
import { engineSchema, withFailureDefaults } from "../schema/pool/engine.ts";
import type { EngineConfig } from "../schema/schema.ts";
import { text } from "../schema/values.ts";
import { isEngineAttribute } from "../values/engine-attributes.ts";
import { openYaml } from "./read-yaml.ts";

const groupSchema = z.strictObject({
  targets: z.array(text),
  labels: z.record(z.string(), z.string()).default({}),
});
const listSchema = z.array(z.union([text, engineSchema, groupSchema]));
const fileSchema = z.strictObject({ engines: listSchema });

type Item = z.output<typeof listSchema>[number];
type EngineInput = z.input<typeof engineSchema>;

export type EngineList =
  | { readonly engines: readonly EngineConfig[] }
  | { readonly errors: readonly ConfigProblem[] };

/** @param labels that a group must have to be read; without any, all are */
export function readEngineList(
  source: string,
  file: string,
  labels: Readonly<Record<string, string>> = {},
): EngineList {
  const opened = openYaml(source, file);
  if ("errors" in opened) return opened;
  const { value, locate } = opened;
  const isMap = typeof value === "object" && value !== null && !Array.isArray(value);
  const schema = isMap ? fileSchema : listSchema;
  const parsed = schema.safeParse(value);
  if (!parsed.success) {
    if (value === null || value === undefined) {
      return { errors: [locate(fault("the file is empty", "an empty list is written as []"))] };
    }
    const expected = z.toJSONSchema(schema, { io: "input" }) as JsonSchema;
    const faults = schemaFaults(parsed.error.issues, value, expected);
    return { errors: inFileOrder(faults.map(locate)) };
  }
  const items = isMap ? (parsed.data as z.output<typeof fileSchema>).engines : parsed.data;
  const faults = new Faults();
  const prefix = isMap ? ["engines"] : [];
  const engines = (items as Item[]).flatMap((item, index) =>
    enginesOf(item, [...prefix, index], labels, faults),
  );
  if (faults.list.length > 0) return { errors: inFileOrder(faults.list.map(locate)) };
  return { engines };
}

function enginesOf(
  item: Item,
  path: ConfigPath,
  wanted: Readonly<Record<string, string>>,
  faults: Faults,
): EngineConfig[] {
  if (typeof item === "string") return readEngine({ url: item }, path, path, faults);
  if ("url" in item) {
    checkEngine(faults, path, item);
    return [withFailureDefaults(item)];
  }
  const { targets, labels } = item;
  if (Object.entries(wanted).some(([name, value]) => labels[name] !== value)) return [];
  const settings = settingsOf(labels, [...path, "labels"], faults);
  return targets.flatMap((url, index) =>
    readEngine({ ...settings, url }, path, [...path, "targets", index], faults),
  );
}

function readEngine(
  input: EngineInput,
  path: ConfigPath,
  urlPath: ConfigPath,
  faults: Faults,
): EngineConfig[] {
  const { data } = engineSchema.safeParse(input);
  if (data === undefined) return [];
  checkEngine(faults, path, data, urlPath);
  return [withFailureDefaults(data)];
}

/** Labels that say something of engines, in nginx's words. Others are for others. */
const settingLabels: Readonly<Record<string, { readonly key: string; readonly kind: string }>> = {
  weight: { key: "weight", kind: "number" },
  max_conns: { key: "maxConns", kind: "number" },
  max_fails: { key: "maxFails", kind: "number" },
  slow_start_ms: { key: "slowStartMs", kind: "number" },
  backup: { key: "backup", kind: "boolean" },
  down: { key: "down", kind: "boolean" },
  draining: { key: "draining", kind: "boolean" },
};

function settingsOf(
  labels: Readonly<Record<string, string>>,
  path: ConfigPath,
  faults: Faults,
): Omit<EngineInput, "url"> {
  const settings: Record<string, unknown> = {};
  const attributes: Record<string, string> = {};
  for (const [name, value] of Object.entries(labels)) {
    if (isEngineAttribute(name)) attributes[name] = value;
    if (!Object.hasOwn(settingLabels, name)) continue;
    const { key, kind } = settingLabels[name]!;
    const read = kind === "number" ? Number(value || "-") : { true: true, false: false }[value];
    const { success } = engineSchema.safeParse({ url: "x:1", [key]: read });
    if (success && read !== undefined) settings[key] = read;
    else {
      const expected = kind === "number" ? "a number in range" : '"true" or "false"';
      faults.emerg([...path, name], `label ${name} must be ${expected}, not "${value}"`);
    }
  }
  return { ...settings, attributes };
}

function fault(message: string, hint: string): ConfigFault {
  return { path: [], level: "emerg", message, hint };
}
