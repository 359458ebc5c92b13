/** What differs between two configurations, setting by setting, for people: secrets are hidden. */
import { isDeepStrictEqual } from "node:util";
import { type ConfigPath, formatPath, valueAt } from "../problems/fault.ts";
import type { Config } from "../schema/schema.ts";
import { maskConfig } from "./secrets.ts";

/** Both `***` = a secret has changed. */
export interface ConfigChange {
  /** Such as `pools.decode.engines["http://10.0.0.1:8200"].weight`. */
  readonly path: string;
  /** Absent = the setting is new. */
  readonly before?: unknown;
  /** Absent = the setting is gone. */
  readonly after?: unknown;
}

/** A setting of either configuration: where it is, and how it is called. */
interface Place {
  readonly path: ConfigPath;
  readonly name: ConfigPath;
}

/** In the order of the settings. Lists whose items have names are compared by those, others by their places. */
export function configChanges(before: Config, after: Config): ConfigChange[] {
  const masked = { before: maskConfig(before).config, after: maskConfig(after).config };
  const changes: ConfigChange[] = [];
  const compare = (a: Place | undefined, b: Place | undefined) => {
    const one = a && valueAt(before, a.path);
    const other = b && valueAt(after, b.path);
    if (isDeepStrictEqual(one, other)) return;
    if (isNode(one) && isNode(other) && Array.isArray(one) === Array.isArray(other)) {
      const [ones, others] = [membersOf(one, a!), membersOf(other, b!)];
      const keys = [...new Set([...ones.keys(), ...others.keys()])];
      for (const key of keys) compare(ones.get(key), others.get(key));
      // The same items in another order, which may matter.
      const inner = keys.every((key) =>
        isDeepStrictEqual(at(before, ones.get(key)), at(after, others.get(key))),
      );
      if (!inner || !Array.isArray(one)) return;
    }
    changes.push({
      path: formatPath((b ?? a)!.name),
      ...(one !== undefined && { before: at(masked.before, a) }),
      ...(other !== undefined && { after: at(masked.after, b) }),
    });
  };
  const root: Place = { path: [], name: [] };
  compare(root, root);
  return changes;
}

function at(root: Config, place: Place | undefined): unknown {
  return place && valueAt(root, place.path);
}

function isNode(value: unknown): value is object {
  return typeof value === "object" && value !== null;
}

/** By key, or by name in a list whose items have different ones. */
function membersOf(node: object, { path, name }: Place): Map<string, Place> {
  const keys: (string | number)[] = Array.isArray(node) ? [...node.keys()] : Object.keys(node);
  const names = Array.isArray(node) ? node.map(nameOf) : [];
  const isNamed = names.length > 0 && new Set(names).size === names.length;
  return new Map(
    keys.map((key) => {
      const called = isNamed && names[Number(key)] !== undefined ? names[Number(key)]! : key;
      return [`${called}`, { path: [...path, key], name: [...name, called] }];
    }),
  );
}

/** Of an engine, a variable of a map, or a route. */
function nameOf(item: unknown): string | undefined {
  if (!isNode(item)) return undefined;
  const { url, variable, match } = item as Readonly<Record<string, unknown>>;
  if (isNode(match)) return Object.values(match).join(" ");
  return [url, variable].find((one) => typeof one === "string");
}
