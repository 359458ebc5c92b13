/** Header lines and trailers that the configuration adds (nginx's `add_header`, `add_trailer`). */
import type { RouteConfig } from "../../../config/schema/schema.ts";
import type { RequestContext } from "../../context/request-context.ts";
import { singleLine, utf8 } from "../header-text.ts";
import type { Render } from "../render.ts";
import type { VariableScope } from "../template.ts";
import { dropped } from "./dropped-lines.ts";

type AddedHeaderConfig = RouteConfig["responseHeaders"][number];

interface AddedHeader {
  readonly name: string;
  /** What it takes the place of; 0 = nothing. */
  readonly single: number;
  readonly value: Render;
  readonly onErrors: boolean;
}

/** The statuses that nginx adds headers to unless it is told `always`. */
const usualStatuses: ReadonlySet<number> = new Set([
  200, 201, 204, 206, 301, 302, 303, 304, 307, 308,
]);

export function isUsualStatus(status: number): boolean {
  return usualStatuses.has(status);
}

/** Of these a response has one: an added one takes the place of the engine's, an empty one too. */
const singles: Readonly<Record<string, number>> = {
  "last-modified": dropped.lastModified,
  etag: dropped.etag,
};

export class AddedHeaders {
  readonly #headers: readonly AddedHeader[];
  readonly #replaces: number;
  readonly #replacesOnErrors: number;

  private constructor(configs: readonly AddedHeaderConfig[], scope: VariableScope) {
    this.#headers = configs.map(({ name, value, onErrors }) => {
      const single = singles[name.toLowerCase()] ?? 0;
      return { name, single, value: scope.compile(utf8(value)), onErrors };
    });
    this.#replaces = this.#headers.reduce((sum, { single }) => sum | single, 0);
    this.#replacesOnErrors = this.#headers.reduce(
      (sum, { single, onErrors }) => (onErrors ? sum | single : sum),
      0,
    );
  }

  /** Undefined = there are none. */
  static of(configs: readonly AddedHeaderConfig[], scope: VariableScope): AddedHeaders | undefined {
    return configs.length === 0 ? undefined : new AddedHeaders(configs, scope);
  }

  /** The kinds of lines that make way for added ones. @see dropped */
  replaces(status: number): number {
    return isUsualStatus(status) ? this.#replaces : this.#replacesOnErrors;
  }

  /** Each with its CRLF. */
  lines(context: RequestContext, status: number): string {
    const isUsual = isUsualStatus(status);
    let lines = "";
    for (const header of this.#headers) {
      if (isUsual || header.onErrors) lines += this.#line(context, header, isUsual);
    }
    return lines;
  }

  /** The same behind a head, which values may look at, with what is added before them. */
  behind(context: RequestContext, status: number, head: string): string {
    const isUsual = isUsualStatus(status);
    context.sentHead = head;
    for (const header of this.#headers) {
      if (isUsual || header.onErrors) context.sentHead += this.#line(context, header, isUsual);
    }
    return context.sentHead;
  }

  #line(context: RequestContext, header: AddedHeader, isUsual: boolean): string {
    const value = header.value(context);
    const isLine = value !== "" && !this.#isReplacedLater(header, isUsual);
    return isLine ? `${header.name}: ${singleLine(value)}\r\n` : "";
  }

  /** Of several of a name that a response has once, the last one counts. */
  #isReplacedLater(header: AddedHeader, isUsual: boolean): boolean {
    if (header.single === 0) return false;
    const others = this.#headers.filter(
      ({ single, onErrors }) => single === header.single && (isUsual || onErrors),
    );
    return others.at(-1) !== header;
  }
}
