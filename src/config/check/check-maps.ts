/** Checks of maps. */
import { isBuiltInVariable } from "../values/variables.ts";
import type { CheckContext } from "./context.ts";

export function checkMaps({ config, faults, texts }: CheckContext): void {
  const seen = new Set<string>();
  config.maps.forEach((map, index) => {
    const at = ["maps", index];
    const { variable } = map;
    if (!/^\w+$/.test(variable)) {
      const hint = variable.startsWith("$") ? "remove the $" : "use letters, digits and _";
      faults.emerg([...at, "variable"], `invalid variable name "${variable}"`, hint);
    } else if (isBuiltInVariable(variable)) {
      faults.emerg([...at, "variable"], `"$${variable}" is a built-in variable`);
    } else if (seen.has(variable)) {
      faults.emerg([...at, "variable"], `two maps define the variable "$${variable}"`);
    }
    seen.add(variable);
    texts.template([...at, "source"], map.source);
    texts.template([...at, "default"], map.default);
    map.entries.forEach(({ match, value }, entry) => {
      const pattern = /^~\*?(.*)$/s.exec(match)?.[1];
      if (pattern !== undefined) texts.regex([...at, "entries", entry, "match"], pattern);
      texts.template([...at, "entries", entry, "value"], value);
    });
  });
}
