/** What is wrong at a path of the configuration. A front end then says where in its file that path is. */

/** Steps from the root: keys of maps and indexes of lists. */
export type ConfigPath = readonly (string | number)[];

export interface ConfigFault {
  readonly path: ConfigPath;
  /** The fault is the key at the end of the path, not its value. */
  readonly atKey?: boolean;
  readonly level: "emerg" | "warn" | "notice";
  readonly message: string;
  readonly hint?: string;
  /** The key that is missing at the path. */
  readonly missing?: string;
}

/** Collects faults while a configuration is checked. */
export class Faults {
  readonly list: ConfigFault[] = [];

  emerg(path: ConfigPath, message: string, hint?: string): void {
    this.#add("emerg", path, message, hint);
  }

  warn(path: ConfigPath, message: string, hint?: string): void {
    this.#add("warn", path, message, hint);
  }

  notice(path: ConfigPath, message: string, hint?: string): void {
    this.#add("notice", path, message, hint);
  }

  #add(level: ConfigFault["level"], path: ConfigPath, message: string, hint?: string): void {
    this.list.push({ path, level, message, ...(hint === undefined ? {} : { hint }) });
  }
}

/** `servers[0].routes[1].target.pool`; the whole document is `the configuration`. */
export function formatPath(path: ConfigPath): string {
  if (path.length === 0) return "the configuration";
  let text = "";
  for (const step of path) {
    if (typeof step === "number") text += `[${step}]`;
    else if (/^[A-Za-z_][\w-]*$/.test(step)) text += text === "" ? step : `.${step}`;
    else text += `[${JSON.stringify(step)}]`;
  }
  return text;
}

/** The value at a path, or undefined if there is none. */
export function valueAt(root: unknown, path: ConfigPath): unknown {
  let value = root;
  for (const step of path) {
    if (typeof value !== "object" || value === null) return undefined;
    value = (value as Record<string | number, unknown>)[step];
  }
  return value;
}
