/**
 * The second stage of routing, for routes of several models: by the model that the body names. The first one knows the
 * head alone.
 */
import { nearestWord } from "../../config/problems/suggest.ts";
import { endpointOf, storedResponseId } from "../../dialects/endpoints/find-endpoint.ts";
import { type Outcome, outcomes } from "../context/outcomes.ts";
import type { RequestContext } from "../context/request-context.ts";
import { holderOf } from "../response/stored-response.ts";
import type { ModelCatalog } from "../routing/models/model-catalog.ts";
import { requestedModel } from "../routing/models/requested-model.ts";
import type { Route } from "../routing/route.ts";
import { type Scans, scanMembers } from "./scan-body.ts";

/** Where the request goes, the response that it gets at once, or why it ends. */
export type ModelChoice =
  | { readonly route: Route; readonly json?: never; readonly outcome?: never }
  | { readonly json: Buffer; readonly route?: never; readonly outcome?: never }
  | { readonly outcome: Outcome; readonly route?: never; readonly json?: never };

/** Sets the context's model, and its members. A route that has one model is the choice itself. */
export function chooseModel(context: RequestContext, route: Route, scans: Scans): ModelChoice {
  const { models: table, catalog } = route;
  if (table === undefined || catalog === undefined) return { route };
  const { method } = context.head;
  const initial = table.routes[0]!;
  if (method === "GET") {
    const found = listedModels(context, initial.enginePath(context), catalog);
    if (found !== undefined) return found;
  }
  // What is wrong with a body is found out where it is known what it has to be.
  if (context.body.length > 0) scanMembers(context, scans);
  const name = requestedModel(context);
  if (name === "") return { route: storingRoute(context, table.routes) ?? initial };
  context.model = name;
  const { clock } = context.sources;
  const target = table.choose(context, name, clock.wallMs());
  if (target === undefined) {
    if (table.isIncomplete) return { outcome: outcomes.modelsUnknown };
    return { outcome: unknownModel(name, catalog.names(context)) };
  }
  context.engineModel = target.engineModel;
  return { route: target.route };
}

const listPath = /\/v1\/models(?:\/(.+))?$/;

/** `/v1/models` and `/v1/models/NAME`; undefined for any other path. */
function listedModels(
  context: RequestContext,
  path: string,
  catalog: ModelCatalog,
): ModelChoice | undefined {
  const match = listPath.exec(path);
  if (match === null) return undefined;
  const [, name] = match;
  if (name === undefined) return { json: catalog.list(context) };
  const json = catalog.model(context, name);
  return json ? { json } : { outcome: unknownModel(name, catalog.names(context)) };
}

/** A request for a stored response names no model, but the engine that has it. */
function storingRoute({ path }: RequestContext, routes: readonly Route[]): Route | undefined {
  if (endpointOf(path)?.servedBy !== "storing-engine") return undefined;
  const id = storedResponseId(path);
  return routes.find(({ targetPool }) => targetPool && holderOf(targetPool, id) !== undefined);
}

/** In the words of OpenAI and vLLM, with the name that was probably meant. */
function unknownModel(name: string, names: Iterable<string>): Outcome {
  const nearest = nearestWord(name, names);
  const hint = nearest === undefined ? "" : ` Did you mean \`${nearest}\`?`;
  return { ...outcomes.unknownModel, message: `The model \`${name}\` does not exist.${hint}` };
}
