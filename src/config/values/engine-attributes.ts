/**
 * The attributes that an engine may have beside its address: those that the dialects read, by their definitions, and
 * those that the proxy itself reads.
 */
import type { Dialect } from "../../dialects/dialect.ts";
import { allDialects } from "../../dialects/registry.ts";
import { didYouMean } from "../problems/suggest.ts";

const ofTheProxy: Readonly<Record<string, string>> = {
  kv_events_port: "port at which it publishes KV events",
  kv_replay_port: "port at which missed KV events are requested again",
  max_model_len: "most tokens of a prompt and its response together",
  pp_size: "number of its pipeline-parallel ranks; nothing reads it yet",
  version: "its version, where `/version` does not say it",
  transfer_mode: "`READ` or `WRITE`, as engines with MoRIIOConnector register",
};

const ofDialects = allDialects.flatMap(({ attributes = {} }: Dialect) =>
  Object.entries(attributes).map(([name, { meaning }]) => [name, meaning] as const),
);

/** Name → meaning to the first dialect that reads it. */
export const engineAttributes: Readonly<Record<string, string>> = {
  ...Object.fromEntries(ofDialects.toReversed()),
  ...ofTheProxy,
};

const names: readonly string[] = Object.keys(engineAttributes);

export function isEngineAttribute(name: string): boolean {
  return Object.hasOwn(engineAttributes, name);
}

/** What to write instead of an unknown name, as a sentence without a full stop. */
export function attributeHint(name: string): string {
  return didYouMean(name, names) ?? `valid: ${names.join(", ")}`;
}
