/** The named schemas of requests and responses: the document of the admin listener refers to them. */
import { z } from "zod";

export const adminSchemas: z.core.$ZodRegistry<{ id: string }> = z.registry<{ id: string }>();

/** Registers a schema under its name, which is unique. */
export function named<Schema extends z.ZodType>(id: string, schema: Schema): Schema {
  adminSchemas.add(schema, { id });
  return schema;
}

export const milliseconds = z.number().min(0);
export const timestamp = z.string().describe("ISO 8601.");
export const count = z.int().min(0);
