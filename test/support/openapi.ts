/** Whether responses of the admin listener are as its document says, member by member. */
import { Ajv2020 } from "ajv/dist/2020.js";
import { openApiDocument } from "../../src/control/admin/openapi.ts";
import { adminRoutes } from "../../src/control/admin/routes.ts";

interface Operation {
  readonly responses: Readonly<Record<string, { content: Record<string, { schema: object }> }>>;
}
interface Document {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: { readonly schemas: Readonly<Record<string, object>> };
}

export const adminDocument = openApiDocument(adminRoutes, "1.2.3") as unknown as Document;

const ajv = new Ajv2020({ strict: false, allErrors: true });
ajv.addSchema(closed(adminDocument as unknown as object) as object, "document");

/** @returns what is wrong with a response; none = it is as described, and has no member that is not */
export function problemsOf(
  method: string,
  path: string,
  { status, body }: { readonly status: number; readonly body: string },
): string[] {
  const { responses } = adminDocument.paths[path]![method.toLowerCase()]!;
  const form = responses[`${status}`] ?? responses["default"]!;
  const schema = form.content["application/json"]?.schema as { $ref: string } | undefined;
  if (schema === undefined) return [];
  const validate = ajv.getSchema(`document${schema.$ref}`)!;
  return validate(JSON.parse(body))
    ? []
    : validate.errors!.map(
        (one) =>
          `${method} ${path} ${status}: ${one.instancePath} ${one.message} ${JSON.stringify(one.params)}`,
      );
}

/** The same with no other members than those that are named: the document leaves room for later versions. */
function closed(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(closed);
  if (typeof value !== "object" || value === null) return value;
  const members = Object.entries(value).map(([name, member]) => [name, closed(member)] as const);
  const isOpen = "properties" in value && "type" in value && !("additionalProperties" in value);
  return { ...Object.fromEntries(members), ...(isOpen && { additionalProperties: false }) };
}
