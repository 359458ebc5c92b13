/** What a policy says of itself. Everything that names or describes it elsewhere follows from this definition. */
import type { Option, OptionShape, ValuesOf } from "./options.ts";
import type { Policy, PolicyDeps } from "./policy.ts";

/** Facts that the proxy must know before it asks a policy. */
export interface PolicyNeeds {
  /** It looks at the blocks of prompts, which cost time to hash, and at what engines have cached of them. */
  readonly blocks?: boolean;
  /** It is of no use without the client's address, which a trace does not have. */
  readonly clientAddress?: boolean;
}

/**
 * How a policy treats the weights of engines, over many requests of one kind: `exact` = each engine gets its weight's
 * share, `rough` = by a ring of hashes, within some 20 %, `none` = no such share can be expected. The contract suite
 * holds a policy to it.
 */
export type WeightUse = "exact" | "rough" | "none";

/** How nginx.conf writes a policy where that is not `name option=value…;`, as of a module that it replaces. */
export interface NginxForm<Name extends string = string> {
  /** `bare` = no words; `on_off` = first `on` or `off`, then options. */
  readonly form?: "bare" | "on_off";
  /** The option that stands first, as a bare word. */
  readonly first?: Name;
  /** The option whose values are all the words. */
  readonly list?: Name;
  /** Directives of their own that set one option each. */
  readonly settings?: Readonly<Record<string, Name>>;
  /** Directives that are accepted and have no effect: zones of shared memory, which the proxy has by itself. */
  readonly zones?: readonly string[];
}

/** Compared as a method's parameters are, so that a list can hold definitions with different options. */
type Of<Options, Value> = { of(options: Options): Value }["of"];

export interface PolicyDefinition<
  Name extends string = string,
  Shape extends OptionShape = OptionShape,
> {
  /** In the configuration, in snake_case. */
  readonly name: Name;
  /** How it chooses, in a sentence. */
  readonly summary: string;
  /** When an operator should use it, as a phrase. */
  readonly when: string;
  /** The project whose policy it follows. */
  readonly source?: string;
  /** Paragraphs for the documentation: formula, origin, differences. */
  readonly notes?: string;
  readonly options: Shape;
  readonly needs?: PolicyNeeds | Of<ValuesOf<Shape>, PolicyNeeds>;
  /** Default: `exact`. */
  readonly weights?: WeightUse | Of<ValuesOf<Shape>, WeightUse>;
  /** Options in combination that the contract suite tries, besides each alternative of each option. */
  readonly variants?: readonly Partial<ValuesOf<Shape>>[];
  readonly nginx?: NginxForm<keyof Shape & string>;
  /** Called once per pool and worker. */
  create(deps: PolicyDeps, options: ValuesOf<Shape>): Policy;
}

/** Gives a definition its types; the value is the same. */
export function definePolicy<const Name extends string, Shape extends OptionShape>(
  definition: PolicyDefinition<Name, Shape>,
): PolicyDefinition<Name, Shape> {
  return definition;
}

/** Whether a value has the shape of a definition. Its options are checked where they are read. */
export function isDefinition(value: unknown): value is PolicyDefinition {
  if (typeof value !== "object" || value === null) return false;
  const { name, options, create } = value as Partial<PolicyDefinition>;
  return (
    typeof name === "string" &&
    typeof create === "function" &&
    typeof options === "object" &&
    options !== null &&
    Object.values(options).every(isOption)
  );
}

const kinds: readonly string[] = ["integer", "number", "flag", "choice", "text", "template"];

function isOption(value: unknown): value is Option {
  if (typeof value !== "object" || value === null) return false;
  const { kind, words } = value as Partial<Option>;
  if (kind === undefined || !kinds.includes(kind)) return false;
  return kind !== "choice" || (Array.isArray(words) && words.length > 0);
}

export function needsOf<Shape extends OptionShape>(
  { needs = {} }: PolicyDefinition<string, Shape>,
  options: ValuesOf<Shape>,
): PolicyNeeds {
  return typeof needs === "function" ? needs(options) : needs;
}

export function weightsOf<Shape extends OptionShape>(
  { weights = "exact" }: PolicyDefinition<string, Shape>,
  options: ValuesOf<Shape>,
): WeightUse {
  return typeof weights === "function" ? weights(options) : weights;
}

export interface KeyTemplate {
  /** The option that holds it. */
  readonly option: string;
  readonly template: string;
}

/** The templates of a policy: the first whose value is not empty gives a request's key. */
export function keyTemplates(
  shape: OptionShape,
  values: Readonly<Record<string, unknown>>,
): KeyTemplate[] {
  return Object.entries(shape).flatMap(([option, { kind }]) => {
    if (kind !== "template") return [];
    const written = (values[option] ?? []) as string | readonly string[];
    return [written].flat().map((template) => ({ option, template }));
  });
}

/** `balanceAbsolute` → `balance_absolute`, as nginx.conf and flags write options. */
export const snakeCase = (name: string): string =>
  name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);

/** Whether it must be given. */
export function isRequired({ default: byDefault, isOptional }: Option): boolean {
  return byDefault === undefined && isOptional === undefined;
}
