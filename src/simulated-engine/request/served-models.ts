/** Which names of models an engine takes: its own, and those of the LoRA adapters that it has loaded. */
import { noSuchModel } from "../http/request-error.ts";

export interface ServedModels {
  readonly model: string;
  /** Names of adapters; they change at run time. */
  readonly adapters: ReadonlySet<string>;
}

/** Throws a RequestError, as engines do. */
export function requireServed(name: string, { model, adapters }: ServedModels): void {
  if (name !== model && !adapters.has(name)) throw noSuchModel(name);
}
