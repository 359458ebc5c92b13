/** `models`: what each engine serves, how long prompts may be, and whether prefill and decode agree. */
import { isFailure } from "../../control/polling/request-once.ts";
import type { Check, CheckContext, CheckedEngine } from "../context.ts";
import { fleet } from "../report.ts";
import { jsonOf } from "../responses.ts";

interface Listed {
  readonly id?: unknown;
  readonly max_model_len?: unknown;
}

/** @param wanted by --model */
export function modelsCheck(wanted: string | undefined): Check {
  return {
    name: "models",
    needs: "engines",
    async run(context) {
      const up = context.engines.filter(({ isUp }) => isUp);
      await Promise.all(up.map((engine) => listOne(context, engine)));
      compareNames(context, up, wanted);
      compareLengths(context, up);
    },
  };
}

async function listOne(context: CheckContext, engine: CheckedEngine): Promise<void> {
  const answer = await context.ask(engine.engine.address, { path: "/v1/models" });
  const body = isFailure(answer) ? undefined : (jsonOf(answer.body) as { readonly data?: unknown });
  const list = Array.isArray(body?.data) ? (body.data as readonly Listed[]) : [];
  engine.models = list.flatMap(({ id }) => (typeof id === "string" ? id : []));
  const lengths = list.flatMap(({ max_model_len: length }) =>
    typeof length === "number" ? length : [],
  );
  if (lengths.length > 0) engine.contextTokens = Math.max(...lengths);
  engine.contextTokens ??= engine.facts?.maxModelLen;
  const { models, contextTokens } = engine;
  if (models.length === 0) {
    const remedy = "has the model been loaded?";
    context.report("fail", "models.none", engine, "it lists no model", { remedy });
    return;
  }
  const length = contextTokens === undefined ? "" : `, up to ${contextTokens} tokens`;
  const message = `${models.slice(0, 8).join(", ")}${length}`;
  context.report("ok", "models.listed", engine, message, { data: { models, contextTokens } });
}

function compareNames(
  context: CheckContext,
  up: readonly CheckedEngine[],
  wanted: string | undefined,
): void {
  const served = up.filter(({ models }) => models.length > 0);
  if (wanted !== undefined) {
    const without = served.filter(({ models }) => !models.includes(wanted));
    if (without.length === 0) return;
    const message = `${without.map(({ name }) => name).join(", ")}: does not serve "${wanted}"`;
    const remedy = "check the name that --model says";
    context.report("fail", "models.missing", fleet, message, { remedy });
    return;
  }
  if (served.length < 2) return;
  const [first, ...others] = served;
  if (first!.models.some((name) => others.every(({ models }) => models.includes(name)))) {
    context.report("ok", "models.agree", fleet, `all engines serve ${context.model}`);
    return;
  }
  const lists = served.map(({ name, models }) => `${name} serves ${models.join(", ")}`);
  const remedy = "start all engines with one --served-model-name, or check each model by itself";
  const message = `the engines serve no model in common: ${lists.slice(0, 4).join("; ")}`;
  context.report("fail", "models.differ", fleet, message, { remedy });
}

function compareLengths(context: CheckContext, up: readonly CheckedEngine[]): void {
  const known = up.filter(({ contextTokens }) => contextTokens !== undefined);
  const lengths = new Set(known.map(({ contextTokens }) => contextTokens));
  if (lengths.size < 2) return;
  const list = known.map(({ name, contextTokens }) => `${name} ${contextTokens}`);
  const message = `the engines take prompts of different lengths: ${list.slice(0, 4).join(", ")}`;
  const remedy = "start all engines with the same --max-model-len: requests fail at the shortest";
  context.report("warn", "models.lengths", fleet, message, { remedy });
}
