/**
 * The models of one route: which of its entries takes a request by the model that it names. Exact names go before what
 * engines list, that before the longest prefix, that before regular expressions in order.
 */

import { entryRoute, modelEntries } from "../../../config/model-routes.ts";
import type { RouteConfig } from "../../../config/schema/schema.ts";
import { autoModels } from "../../../config/values/auto-models.ts";
import { modelNameCharsMax } from "../../../limits.ts";
import type { Pool } from "../../../pool/pool.ts";
import type { ServedModels } from "../../../pool/served-models.ts";
import { type EngineModel, engineModelOf } from "../../context/engine-model.ts";
import type { RequestContext } from "../../context/request-context.ts";
import { compileRegex } from "../regex.ts";
import type { Render } from "../render.ts";
import type { VariableScope } from "../template.ts";
import { splitShare } from "./split-share.ts";

/** A route of one model, as far as the choice reads it. */
export interface ModelRoute {
  readonly targetPool: Pool | undefined;
  readonly prefillPool: Pool | undefined;
}

/** An entry that takes requests. */
export interface ModelTarget<R> {
  readonly route: R;
  /** Undefined = engines know the model by the name that clients write. */
  readonly engineModel: EngineModel | undefined;
  readonly weight: number;
}

export interface ModelTableDeps<R> {
  readonly scope: VariableScope;
  /** Uniform in [0, 1). */
  random(): number;
  /** Makes the route of one entry. */
  routeOf(config: RouteConfig): R;
}

type Group<R> = readonly ModelTarget<R>[];

export class ModelTable<R extends ModelRoute> {
  /** One for each entry, in the order of the configuration. */
  readonly routes: readonly R[];
  /** Of entries with a weight; all, if none has one. */
  readonly servingRoutes: readonly R[];
  /** Other names → what engines call the model. */
  readonly aliases: ReadonlyMap<string, EngineModel>;
  readonly exact: ReadonlyMap<string, Group<R>>;
  readonly #autos: Group<R>;
  /** The longest first. */
  readonly #prefixes: readonly (readonly [prefix: string, group: Group<R>])[];
  readonly #regexes: readonly (readonly [
    matches: (context: RequestContext, name: string) => boolean,
    group: Group<R>,
  ])[];
  readonly #splitKey: Render;
  readonly #random: () => number;
  /** What the engines list that `auto` entries go by, and of which lists that was made. */
  #listed: ReadonlyMap<string, Group<R>> = new Map();
  #lists: readonly (ServedModels | undefined)[] = [];

  /** @param config of a route that has several models */
  constructor(config: RouteConfig, { scope, random, routeOf }: ModelTableDeps<R>) {
    const targets = modelEntries(config).map((entry) => ({
      pattern: entry.model,
      target: {
        route: routeOf(entryRoute(config, entry)),
        engineModel: entry.engineModel === undefined ? undefined : engineModelOf(entry.engineModel),
        weight: entry.weight,
      },
    }));
    this.routes = targets.map(({ target }) => target.route);
    const weighed = targets.filter(({ target }) => target.weight > 0);
    this.servingRoutes =
      weighed.length > 0 ? weighed.map(({ target }) => target.route) : this.routes;
    const groups = new Map<string, ModelTarget<R>[]>();
    for (const { pattern, target } of targets) {
      if (target.weight > 0) groups.set(pattern, [...(groups.get(pattern) ?? []), target]);
    }
    const all = [...groups];
    const isPrefix = (pattern: string) => pattern.endsWith("*") && !pattern.startsWith("~");
    this.#autos = all.find(([pattern]) => pattern === autoModels)?.[1] ?? [];
    this.#regexes = all
      .filter(([pattern]) => pattern.startsWith("~"))
      .map(([pattern, group]) => [compileRegex(pattern.slice(1), "", scope), group]);
    this.#prefixes = all
      .filter(([pattern]) => isPrefix(pattern))
      .map(([pattern, group]) => [pattern.slice(0, -1), group] as const)
      .sort(([a], [b]) => b.length - a.length);
    this.exact = new Map(
      all.filter(([pattern]) => pattern !== autoModels && !/^~|\*$/.test(pattern)),
    );
    this.aliases = new Map(
      Object.entries(config.modelAliases).map(([name, model]) => [name, engineModelOf(model)]),
    );
    this.#splitKey = scope.compile(config.modelSplitKey);
    this.#random = random;
  }

  /** Which entry takes a request for this model; undefined = none does. */
  choose(context: RequestContext, name: string, nowMs: number): ModelTarget<R> | undefined {
    const alias = this.aliases.get(name);
    const group = this.groupOf(context, alias?.name ?? name);
    if (group === undefined) return undefined;
    const target = group.length === 1 ? group[0]! : this.#split(context, group, name, nowMs);
    if (alias === undefined || target.engineModel !== undefined) return target;
    return { ...target, engineModel: alias };
  }

  /** Of a name that is no alias. */
  groupOf(context: RequestContext, name: string): Group<R> | undefined {
    return (
      this.exact.get(name) ??
      this.listed.get(name) ??
      this.#prefixes.find(([prefix]) => name.startsWith(prefix))?.[1] ??
      this.#byRegex(context, name)
    );
  }

  /** A longer name finds none: some expressions take time that grows with its square, or worse. */
  #byRegex(context: RequestContext, name: string): Group<R> | undefined {
    if (name.length > modelNameCharsMax) return undefined;
    return this.#regexes.find(([matches]) => matches(context, name))?.[1];
  }

  /** What the engines of `auto` entries list now. Made again once one of them lists something else. */
  get listed(): ReadonlyMap<string, Group<R>> {
    const lists = this.#autos.map(({ route }) => route.targetPool?.models);
    if (lists.every((list, index) => list === this.#lists[index])) return this.#listed;
    const listed = new Map<string, ModelTarget<R>[]>();
    lists.forEach((list, index) => {
      for (const name of list?.all.keys() ?? []) {
        listed.set(name, [...(listed.get(name) ?? []), this.#autos[index]!]);
      }
    });
    this.#lists = lists;
    this.#listed = listed;
    return listed;
  }

  /** Whether a name may be a model's that no engine has listed yet. */
  get isIncomplete(): boolean {
    return this.#autos.some(({ route }) => route.targetPool?.models.isKnown === false);
  }

  /** By weight, among those that have an engine for it. */
  #split(context: RequestContext, group: Group<R>, name: string, nowMs: number): ModelTarget<R> {
    const fit = group.filter((target) => hasEngines(target, name, nowMs));
    const among = fit.length === 0 ? group : fit;
    const key = this.#splitKey(context);
    let left = key === "" ? this.#random() : splitShare(name, key);
    left *= among.reduce((sum, { weight }) => sum + weight, 0);
    for (const target of among) {
      left -= target.weight;
      if (left < 0) return target;
    }
    return among.at(-1)!;
  }
}

/** Whether it would succeed there, as far as is known. */
function hasEngines(
  { route, engineModel }: ModelTarget<ModelRoute>,
  name: string,
  nowMs: number,
): boolean {
  return [route.prefillPool, route.targetPool].every((pool) => {
    if (pool === undefined) return true;
    const { models, engines, health } = pool;
    const holders = models.holders(engineModel?.name ?? name);
    return engines.some((engine) => holders?.[engine.index] !== 0 && health.isFit(engine, nowMs));
  });
}
