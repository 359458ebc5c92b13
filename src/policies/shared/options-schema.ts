/** The schema that checks a policy's options and fills in their defaults. */
import { z } from "zod";
import type { Option, OptionShape, ValuesOf } from "./options.ts";

/** By the names of the options. */
export function optionSchemas(shape: OptionShape): Record<string, z.ZodType> {
  return Object.fromEntries(
    Object.entries(shape).map(([name, option]) => [name, optionSchema(option)]),
  );
}

/** Of all options of a policy; others are errors. */
export function optionsSchema<Shape extends OptionShape>(shape: Shape): z.ZodType<ValuesOf<Shape>> {
  return z.strictObject(optionSchemas(shape)) as unknown as z.ZodType<ValuesOf<Shape>>;
}

export function optionSchema(option: Option): z.ZodType {
  const { list, about, default: byDefault, isOptional } = option;
  let schema: z.ZodType = oneValue(option);
  if (list !== undefined) {
    const items = z.array(schema).min(list.min);
    schema = list.max === undefined ? items : items.max(list.max);
  }
  if (byDefault !== undefined) schema = schema.default(byDefault);
  else if (isOptional) schema = schema.optional();
  return schema.describe(about);
}

function oneValue({ kind, words = [], min, max }: Option): z.ZodType {
  switch (kind) {
    case "integer":
      return bounded(z.int(), min, max);
    case "number":
      return bounded(z.number(), min, max);
    case "flag":
      return z.boolean();
    case "choice":
      return z.enum(words as [string, ...string[]]);
    case "text":
    case "template":
      return z.string().min(1);
  }
}

function bounded(schema: z.ZodNumber, min: number | undefined, max: number | undefined): z.ZodType {
  const above = min === undefined ? schema : schema.min(min);
  return max === undefined ? above : above.max(max);
}
