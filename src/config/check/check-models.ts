/** Checks of a route's models: patterns, pools, and names that stand for others. */
import { entryRoute, modelEntries } from "../model-routes.ts";
import type { ConfigPath } from "../problems/fault.ts";
import { didYouMean } from "../problems/suggest.ts";
import type { RouteConfig } from "../schema/schema.ts";
import { autoModels } from "../values/auto-models.ts";
import type { CheckContext } from "./context.ts";

export function checkModels(
  context: CheckContext,
  route: RouteConfig,
  path: ConfigPath,
  checkLegs: (one: RouteConfig, path: ConfigPath) => void,
): void {
  const { faults, texts } = context;
  if (route.models === undefined) {
    for (const key of ["modelAliases", "modelSplitKey"] as const) {
      const isSet = Object.keys(route[key]).length > 0;
      if (isSet)
        faults.emerg([...path, key], `${key} has no effect without models`, "models: auto");
    }
    return;
  }
  if (!route.byEndpoint) {
    const hint = "set byEndpoint to true, or map $body_model to a pool";
    faults.emerg([...path, "models"], "a route of several models needs byEndpoint", hint);
  }
  modelEntries(route).forEach((entry, index) => {
    const at = route.models === autoModels ? path : [...path, "models", index];
    checkPattern(context, entry.model, [...at, "model"]);
    if (entry.model === autoModels && entry.engineModel !== undefined) {
      const message = "engineModel has no effect on the models that engines list";
      faults.emerg([...at, "engineModel"], message, "name the model that it stands for");
    }
    const one = entryRoute(route, entry);
    if (one.target === undefined || !("pool" in one.target)) {
      const what = route.models === autoModels ? "models: auto" : `the model "${entry.model}"`;
      faults.emerg(at, `${what} needs a target with a pool`, "target: { pool: NAME }");
    } else checkLegs(one, at);
  });
  checkWeights(context, route, path);
  checkAliases(context, route, [...path, "modelAliases"]);
  texts.template([...path, "modelSplitKey"], route.modelSplitKey);
}

function checkPattern({ faults, texts }: CheckContext, pattern: string, path: ConfigPath): void {
  if (pattern.startsWith("~")) texts.regex(path, pattern.slice(1));
  else if (pattern.slice(0, -1).includes("*")) {
    const hint = 'write "name*", or a regular expression after "~"';
    faults.emerg(path, `invalid name of a model "${pattern}": a star stands at the end`, hint);
  }
}

function checkWeights({ faults }: CheckContext, route: RouteConfig, path: ConfigPath): void {
  const entries = modelEntries(route);
  const weighed = new Set(entries.filter(({ weight }) => weight > 0).map(({ model }) => model));
  entries.forEach(({ model }, index) => {
    if (weighed.has(model)) return;
    weighed.add(model);
    const at = [...path, "models", index, "weight"];
    faults.warn(at, `the model "${model}" gets no requests: it has no entry with a weight`);
  });
}

function checkAliases({ faults }: CheckContext, route: RouteConfig, path: ConfigPath): void {
  const patterns = modelEntries(route).map(({ model }) => model);
  const { modelAliases: aliases } = route;
  for (const [name, model] of Object.entries(aliases)) {
    const at = [...path, name];
    if (patterns.includes(name) && name !== autoModels) {
      faults.emerg(at, `"${name}" is a model of its own, and cannot be an alias as well`);
    } else if (Object.hasOwn(aliases, model)) {
      const hint = aliases[model] === name ? undefined : `write "${aliases[model]}"`;
      faults.emerg(at, `the alias "${name}" stands for an alias, not for a model`, hint);
    } else if (!patterns.some((pattern) => mayTake(pattern, model))) {
      const hint = didYouMean(model, patterns) ?? `models: ${patterns.slice(0, 10).join(", ")}`;
      faults.emerg(at, `unknown model "${model}"`, hint);
    }
  }
}

/** What engines list, and what an invalid expression was to mean, is not known here. */
function mayTake(pattern: string, name: string): boolean {
  if (pattern === autoModels || pattern === name) return true;
  if (pattern.endsWith("*") && !pattern.startsWith("~"))
    return name.startsWith(pattern.slice(0, -1));
  if (!pattern.startsWith("~")) return false;
  try {
    return new RegExp(pattern.slice(1)).test(name);
  } catch {
    return true;
  }
}
