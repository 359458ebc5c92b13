/** A plain HTTP client for tests that says how a response ended: whole, cut, or never begun. */
import { type Agent, type IncomingMessage, request } from "node:http";

export interface Asked {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Buffer;
  readonly agent?: Agent | false;
  /** Ends the request when aborted. */
  readonly signal?: AbortSignal;
  /** Called with each part of the body. */
  readonly onData?: (part: Buffer) => void;
}

export interface Answered {
  /** 0 = no response. */
  readonly status: number;
  readonly headers: IncomingMessage["headers"];
  readonly body: string;
  /** `whole`: framed to its end. `cut`: its connection ended first. `none`: not even a head. */
  readonly end: "whole" | "cut" | "none";
  /** Why it is not whole. */
  readonly error: string;
}

/** Never rejects. */
export function ask(url: string, asked: Asked = {}): Promise<Answered> {
  const { body, headers, onData, ...options } = asked;
  const length = body === undefined ? {} : { "content-length": String(Buffer.byteLength(body)) };
  return new Promise((resolve) => {
    const outgoing = request(url, { agent: false, ...options, headers: { ...length, ...headers } });
    outgoing.on("error", (error: NodeJS.ErrnoException) => {
      const why = error.code ?? error.message;
      resolve({ status: 0, headers: {}, body: "", end: "none", error: why });
    });
    outgoing.on("response", (incoming) => {
      const parts: Buffer[] = [];
      let error = "";
      incoming.on("data", (part: Buffer) => {
        parts.push(part);
        onData?.(part);
      });
      incoming.on("error", (problem: NodeJS.ErrnoException) => {
        error = problem.code ?? problem.message;
      });
      incoming.on("close", () => {
        const end = incoming.complete ? "whole" : "cut";
        const text = Buffer.concat(parts).toString();
        resolve({
          status: incoming.statusCode ?? 0,
          headers: incoming.headers,
          body: text,
          end,
          error,
        });
      });
    });
    outgoing.end(body);
  });
}

/** A POST of JSON; text goes out as it is. */
export function post(
  url: string,
  body: object | string,
  { headers = {}, ...more }: Omit<Asked, "body" | "method"> = {},
): Promise<Answered> {
  return ask(url, {
    ...more,
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: typeof body === "string" ? body : JSON.stringify(body),
  });
}
