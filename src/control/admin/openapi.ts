/** The admin listener's description of itself: OpenAPI 3.1, from the table of its routes. */
import { z } from "zod";
import { problemSchema } from "./problem.ts";
import { json } from "./response.ts";
import { type AdminRoute, type ResponseForm, routeGroups } from "./route.ts";
import { adminSchemas, named } from "./schemas.ts";

type Json = Readonly<Record<string, unknown>>;

/** @param routes all of the listener, this one among them */
export function openApiRoute(routes: () => readonly AdminRoute[]): AdminRoute {
  return {
    group: "health",
    method: "GET",
    path: "/admin/openapi.json",
    id: "getOpenApi",
    summary: "This document.",
    responses: { 200: named("OpenApi", z.looseObject({ openapi: z.string() })) },
    respond: ({ source }) => json(200, openApiDocument(routes(), source.build.version)),
  };
}

export function openApiDocument(routes: readonly AdminRoute[], version: string): Json {
  const paths = [...new Set(routes.map(({ path }) => path))].map((path) => {
    const ones = routes.filter((route) => route.path === path);
    const operations = ones.map((route) => [route.method.toLowerCase(), operationOf(route)]);
    return [path, Object.fromEntries(operations)];
  });
  return {
    openapi: "3.1.0",
    info: { title: "Global Proxy: admin listener", version, license: { name: "Apache-2.0" } },
    servers: [{ url: "/" }],
    security: [{ token: [] }, {}],
    tags: routeGroups.map((name) => ({ name })),
    paths: Object.fromEntries(paths),
    components: {
      schemas: componentSchemas(),
      securitySchemes: { token: { type: "http", scheme: "bearer" } },
    },
  };
}

function operationOf(route: AdminRoute): Json {
  const { id, group, summary, body, method } = route;
  const parameters = parametersOf(route);
  return {
    operationId: id,
    tags: [group],
    summary,
    ...(method !== "GET" && { security: [{ token: [] }] }),
    ...(parameters.length > 0 && { parameters }),
    ...(body && { requestBody: { required: true, content: contentOf(body) } }),
    responses: responsesOf(route),
  };
}

function parametersOf({ path, query = {} }: AdminRoute): Json[] {
  const string = { type: "string" };
  const inPath = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => ({
    name,
    in: "path",
    required: true,
    schema: string,
  }));
  const inQuery = Object.entries(query).map(([name, description]) => ({
    name,
    in: "query",
    description,
    schema: string,
  }));
  return [...inPath, ...inQuery];
}

function responsesOf({ responses, errors = [] }: AdminRoute): Json {
  const good = Object.entries(responses).map(([status, form]) => {
    return [status, { description: descriptionOf(form), content: contentOf(form) }];
  });
  const bad = errors.map((status) => [`${status}`, problem(`Error ${status}.`)]);
  const others = problem("Any other error.");
  return { ...Object.fromEntries([...good, ...bad]), default: others };
}

function problem(description: string): Json {
  return { description, content: contentOf(problemSchema) };
}

function descriptionOf(form: ResponseForm): string {
  return (typeof form === "string" ? undefined : form.description) ?? "Done.";
}

function contentOf(form: ResponseForm): Json {
  if (typeof form === "string") return { [form]: { schema: { type: "string" } } };
  return { "application/json": { schema: { $ref: refOf(nameOf(form)) } } };
}

function nameOf(schema: z.ZodType): string {
  const name = adminSchemas.get(schema)?.id;
  if (name === undefined) throw new Error("a schema of the admin listener has no name");
  return name;
}

const refOf = (name: string) => `#/components/schemas/${name}`;

/** Later versions may add members to responses, so that no object is closed but those of requests. */
function componentSchemas(): Json {
  const { schemas } = z.toJSONSchema(adminSchemas, {
    uri: refOf,
    io: "input",
    override: ({ jsonSchema }) => {
      delete jsonSchema.readOnly;
    },
  });
  const plain = Object.entries(schemas).map(([name, { $schema: _, $id: __, ...schema }]) => [
    name,
    schema,
  ]);
  return Object.fromEntries(plain);
}
