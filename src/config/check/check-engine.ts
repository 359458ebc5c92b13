/** Checks one engine, wherever it is listed: its URL and its attributes. */
import type { ConfigPath, Faults } from "../problems/fault.ts";
import { attributeHint, isEngineAttribute } from "../values/engine-attributes.ts";
import { type EngineUrl, parseEngineUrl } from "../values/engine-url.ts";

interface WrittenEngine {
  readonly url: string;
  readonly attributes: Readonly<Record<string, string>>;
}

/**
 * @param path of the engine
 * @param urlPath of its URL, if that stands elsewhere
 * @returns undefined = the URL is invalid
 */
export function checkEngine(
  faults: Faults,
  path: ConfigPath,
  { url, attributes }: WrittenEngine,
  urlPath: ConfigPath = [...path, "url"],
): EngineUrl | undefined {
  for (const attribute of Object.keys(attributes)) {
    if (isEngineAttribute(attribute)) continue;
    const at = [...path, "attributes", attribute];
    faults.emerg(at, `unknown attribute "${attribute}"`, attributeHint(attribute));
  }
  const parsed = parseEngineUrl(url);
  if ("problem" in parsed) {
    faults.emerg(urlPath, `invalid engine "${url}": ${parsed.problem}`, parsed.hint);
    return undefined;
  }
  for (const name of ["kv_events_port", "kv_replay_port"]) {
    const port = attributes[name] ?? parsed.attributes[name];
    if (port === undefined || (/^\d{1,5}$/.test(port) && Number(port) <= 65_535)) continue;
    const hint = "a port is a number from 0 to 65535";
    faults.emerg([...path, "attributes", name], `invalid port "${port}" for ${name}`, hint);
  }
  const tokens = attributes["max_model_len"] ?? parsed.attributes["max_model_len"];
  if (tokens !== undefined && !/^[1-9]\d{0,14}$/.test(tokens)) {
    const at = [...path, "attributes", "max_model_len"];
    faults.emerg(at, `invalid max_model_len "${tokens}"`, "it is a number of tokens from 1");
  }
  return parsed;
}
