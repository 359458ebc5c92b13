/** Checks of maps. */
import type { ConfigPath } from "../problems/fault.ts";
import type { MapConfig } from "../schema/schema.ts";
import { parseNetworks } from "../values/networks.ts";
import { parseShare } from "../values/share.ts";
import { isReservedVariable } from "../values/variables.ts";
import type { CheckContext } from "./context.ts";

export function checkMaps(context: CheckContext): void {
  const { config, faults, texts } = context;
  const seen = new Set<string>();
  config.maps.forEach((map, index) => {
    const at = ["maps", index];
    const { variable } = map;
    if (!/^\w+$/.test(variable)) {
      const hint = variable.startsWith("$") ? "remove the $" : "use letters, digits and _";
      faults.emerg([...at, "variable"], `invalid variable name "${variable}"`, hint);
    } else if (isReservedVariable(variable)) {
      faults.emerg([...at, "variable"], `"$${variable}" is a built-in variable`);
    } else if (seen.has(variable.toLowerCase())) {
      faults.emerg([...at, "variable"], `two maps define the variable "$${variable}"`);
    }
    seen.add(variable.toLowerCase());
    texts.template([...at, "source"], map.source);
    texts.template([...at, "default"], map.default);
    map.entries.forEach(({ match, value }, entry) => {
      checkMatch(context, map.by, match, [...at, "entries", entry, "match"]);
      texts.template([...at, "entries", entry, "value"], value);
    });
    map.trustedProxies.forEach((network, proxy) => {
      checkNetwork(context, network, [...at, "trustedProxies", proxy]);
    });
    const total = map.entries.reduce((sum, { match }) => sum + (parseShare(match) ?? 0), 0);
    if (map.by === "share" && total > 10_000) {
      faults.emerg([...at, "entries"], "percent total is greater than 100%");
    }
  });
}

function checkMatch(
  context: CheckContext,
  by: MapConfig["by"],
  match: string,
  path: ConfigPath,
): void {
  const { faults, texts } = context;
  if (by === "address") checkNetwork(context, match, path);
  else if (by === "share" && Number.isNaN(parseShare(match))) {
    faults.emerg(path, `invalid percent value "${match}"`, "write 0.01% to 100%, or *");
  } else if (by !== "share" && match.startsWith("~")) texts.regex(path, match.replace(/^~\*?/, ""));
}

function checkNetwork({ faults }: CheckContext, text: string, path: ConfigPath): void {
  if (parseNetworks(text) !== undefined) return;
  faults.emerg(
    path,
    `invalid network "${text}"`,
    "such as 10.0.0.0/8, fd00::/8 or 10.0.0.1-10.0.0.9",
  );
}
