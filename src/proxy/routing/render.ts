/** What a compiled template or variable is: text made of a request. */
import type { RequestContext } from "../context/request-context.ts";

export type Render = (context: RequestContext) => string;
