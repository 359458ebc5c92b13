/** Makes a URL of a path in `Location` (nginx's `absolute_redirect`). */
import type { RouteConfig } from "../../../config/schema/schema.ts";
import type { RequestContext } from "../../context/request-context.ts";
import { percentEncode } from "../percent.ts";
import { builtIn, hostName } from "../variables.ts";

/** Heads are written as latin1, where U+010A would be a line feed. */
const notInHeader = /[\x00-\x1f\x7f\u{100}-\u{10ffff}]/gu;
const scheme = builtIn("scheme")!;
const serverAddress = builtIn("server_addr")!;
const usualPorts: Readonly<Record<string, number>> = { http: 80, https: 443 };

/** What stands in `Location` of a target that a rule or the configuration has made. */
export type Complete = (context: RequestContext, target: string) => string;

/** @param config undefined = paths stay paths */
export function completion(config: RouteConfig["absoluteRedirects"]): Complete {
  if (config === undefined) return (_, target) => percentEncode(target, notInHeader);
  const { host, port } = config;
  return (context, target) => {
    const encoded = percentEncode(target, notInHeader);
    if (!encoded.startsWith("/")) return encoded;
    const name = host === "server" ? context.serverName : hostName(context.head.host);
    const protocol = scheme(context);
    const { localPort } = context.connection;
    const isUsual = localPort === usualPorts[protocol] || localPort === 0;
    const shownPort = port && !isUsual ? `:${localPort}` : "";
    return `${protocol}://${name === "" ? serverAddress(context) : name}${shownPort}${encoded}`;
  };
}
