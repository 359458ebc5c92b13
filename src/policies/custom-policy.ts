/** Policies of operators: modules of their own, loaded once for each thread and again after a change. */
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { pathToFileURL } from "node:url";
import { isDefinition, type PolicyDefinition } from "./shared/define-policy.ts";
import type { optionsSchema } from "./shared/options-schema.ts";

/** What the configuration says of such a policy. */
export interface CustomPolicy {
  readonly name: "custom";
  /** Absolute path of the module. */
  readonly module: string;
  readonly options: Readonly<Record<string, unknown>>;
}

export type LoadedModule =
  | {
      readonly definition: PolicyDefinition;
      /** Of its options. It throws if they are not described as options are. */
      readonly schema: () => ReturnType<typeof optionsSchema>;
      readonly fault?: never;
    }
  /** Why it cannot be used, as the end of a sentence that begins with its path. */
  | { readonly fault: string; readonly definition?: never; readonly schema?: never };

/** By path. As the runtime keeps its modules, this thread keeps what it has loaded. */
const loadedModules = new Map<string, LoadedModule>();

/**
 * Loads a module, and again when its text has changed. Files that it imports stay as they were loaded first.
 * It never rejects: a fault is a result.
 */
export async function loadPolicyModule(file: string): Promise<LoadedModule> {
  const loaded = await load(file);
  loadedModules.set(file, loaded);
  return loaded;
}

/** Loads the modules of all pools. One that fails to load is replaced when its policy is created. */
export async function loadPolicyModules(
  pools: readonly { readonly policy: object; readonly shadow?: object | undefined }[],
): Promise<void> {
  const chosen = pools.flatMap(({ policy, shadow }) => [policy, shadow]);
  const files = chosen.flatMap((one) => (one !== undefined && isCustom(one) ? [one.module] : []));
  await Promise.all([...new Set(files)].map(loadPolicyModule));
}

export function isCustom(policy: object): policy is CustomPolicy {
  return "module" in policy;
}

/** The module as it was loaded last. */
export function loadedModule(file: string): LoadedModule {
  return loadedModules.get(file) ?? { fault: "is not loaded" };
}

async function load(file: string): Promise<LoadedModule> {
  let text: Buffer;
  try {
    text = await readFile(file);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    return { fault: code === "ENOENT" ? "does not exist" : `cannot be read: ${message}` };
  }
  const version = createHash("sha256").update(text).digest("hex").slice(0, 16);
  try {
    const { default: exported, policy = exported } = (await import(specifierOf(file, version))) as {
      default?: unknown;
      policy?: unknown;
    };
    // Without such a policy a worker needs no schemas: they would be a tenth of its start.
    const schemas = await import("./shared/options-schema.ts");
    if (isDefinition(policy)) {
      return { definition: policy, schema: () => schemas.optionsSchema(policy.options) };
    }
    return {
      fault: "exports no policy: export `definePolicy({ … })` as `policy` or as the default",
    };
  } catch (error) {
    return { fault: `cannot be loaded: ${messageOf(error)}` };
  }
}

/**
 * A query makes it another module for the runtime, so that a changed one does not come from its cache. Bun sees a query
 * in paths only.
 */
function specifierOf(file: string, version: string): string {
  const query = `?version=${version}`;
  return process.versions["bun"] === undefined
    ? `${pathToFileURL(file).href}${query}`
    : `${file}${query}`;
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? `${error.name}: ${error.message}` : String(error);
}
