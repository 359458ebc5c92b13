/**
 * The options of a policy, declared once as plain data. The configuration's schema, the parsers of nginx.conf and of
 * flags, the documentation and the variants of the contract suite all follow from these declarations.
 */

/** One option. The values that it takes follow from `kind`, the bounds and `words`. */
export interface Option<Value = unknown> {
  /**
   * A template is a text with variables, such as `$http_x_session_id`; its value for a request is the request's key.
   */
  readonly kind: "integer" | "number" | "flag" | "choice" | "text" | "template";
  /** What it does, in a sentence. */
  readonly about: string;
  /** Unit of a number, such as `ms` or `bytes`. */
  readonly unit?: string;
  readonly min?: number;
  readonly max?: number;
  /** What a choice may be. */
  readonly words?: readonly string[];
  /** Set where the value is a list of such values. */
  readonly list?: { readonly min: number; readonly max?: number };
  readonly default?: Value;
  /** It may be left out, and has no default then. An option with neither is required. */
  readonly isOptional?: true;
  /** Carries the type and is never set. */
  readonly value?: Value;
}

export type OptionShape = Readonly<Record<string, Option>>;

/** What a policy is created with: every option with its value. */
export type ValuesOf<Shape extends OptionShape> = {
  readonly [Key in keyof Shape]: Shape[Key] extends Option<infer Value> ? Value : never;
};

interface Common<Value> {
  readonly about: string;
  readonly default?: Value;
}

interface Bounds {
  readonly min?: number;
  readonly max?: number;
  readonly unit?: string;
}

/** A whole number. */
export function integer(option: Common<number> & Bounds): Option<number> {
  return { kind: "integer", ...option };
}

/** A whole number that may be left out. */
export function optionalInteger(
  option: { readonly about: string } & Bounds,
): Option<number | undefined> {
  return { kind: "integer", ...option, isOptional: true };
}

export function number(option: Common<number> & Bounds): Option<number> {
  return { kind: "number", ...option };
}

/** On or off. */
export function flag(option: Common<boolean>): Option<boolean> {
  return { kind: "flag", ...option };
}

/** One of several words. */
export function choice<const Word extends string>(
  words: readonly Word[],
  option: Common<NoInfer<Word>>,
): Option<Word> {
  return { kind: "choice", words, ...option };
}

/** A text that is not empty. */
export function text(option: Common<string>): Option<string> {
  return { kind: "text", ...option };
}

/** A text with variables that names what requests have in common, such as a session. See `PickRequest.key`. */
export function template(option: Common<string>): Option<string> {
  return { kind: "template", ...option };
}

/** Several templates, of which the first that is not empty for a request is its key. */
export function templates(option: Common<readonly string[]>): Option<readonly string[]> {
  return { kind: "template", list: { min: 1 }, ...option };
}

/** A list of whole numbers. */
export function integers(
  option: Common<readonly number[]> &
    Bounds & { readonly list: { readonly min: number; readonly max?: number } },
): Option<readonly number[]> {
  return { kind: "integer", ...option };
}
