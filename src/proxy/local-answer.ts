/** Answers of the proxy's own: what the configuration returns, and errors in OpenAI's shape. */
import { STATUS_CODES } from "node:http";
import type { Answer } from "./answer.ts";
import type { RequestContext } from "./context.ts";
import { errorBody, type Outcome } from "./outcomes.ts";
import type { ReturnedAnswer } from "./rewrite.ts";

let dateLine = "";
let dateSecond = 0;

/** RFC 9110 asks for it in every answer; made once a second. */
function date(): string {
  const second = Math.floor(Date.now() / 1000);
  if (second !== dateSecond) {
    dateSecond = second;
    dateLine = `Date: ${new Date(second * 1000).toUTCString()}\r\n`;
  }
  return dateLine;
}

export function reasonOf(status: number): string {
  return STATUS_CODES[status] ?? "";
}

function common(context: RequestContext): string {
  const id = context.requestId === "" ? "" : `X-Request-Id: ${context.requestId}\r\n`;
  return `Server: global-proxy\r\n${date()}${id}`;
}

/** What a `return` of the configuration says: a redirect, or a text. */
export function returnedAnswer(
  answer: Answer,
  context: RequestContext,
  { status, text }: ReturnedAnswer,
): void {
  if (status >= 300 && status < 400 && status !== 304 && text !== undefined) {
    const target = text.startsWith("/") ? `http://${context.head.host}${text}` : text;
    const location = `Location: ${target.replace(/[\r\n\0]/g, "")}\r\n`;
    answer.local(status, reasonOf(status), common(context) + location, nothing);
    return;
  }
  if (text === undefined && status >= 400) {
    const body = errorBody({ code: "GP_RETURNED", message: reasonOf(status) }, status);
    answer.local(status, reasonOf(status), common(context) + json, body);
    return;
  }
  answer.local(status, reasonOf(status), common(context) + plain, Buffer.from(text ?? ""));
}

/** An error of the proxy's own. */
export function errorAnswer(answer: Answer, context: RequestContext, outcome: Outcome): void {
  const { status } = outcome;
  const retry = status === 503 ? "Retry-After: 1\r\n" : "";
  answer.local(
    status,
    reasonOf(status),
    common(context) + retry + json,
    errorBody(outcome, status),
  );
}

const nothing = Buffer.alloc(0);
const json = "Content-Type: application/json\r\n";
const plain = "Content-Type: text/plain\r\n";
