/** What OpenAI-compatible responses say: their text, their usage, their errors; in one piece and as events. */
import type { HttpResponse } from "../control/polling/request-once.ts";

/** What is compared: ids and times differ from response to response. */
export interface Said {
  readonly text: string;
  readonly finishReason: string;
  readonly promptTokens: number | undefined;
  readonly completionTokens: number | undefined;
}

interface Choice {
  readonly text?: unknown;
  readonly message?: Readonly<Record<string, unknown>>;
  readonly delta?: Readonly<Record<string, unknown>>;
  readonly finish_reason?: unknown;
}

interface Body {
  readonly choices?: readonly Choice[];
  readonly usage?: { readonly prompt_tokens?: number; readonly completion_tokens?: number } | null;
}

/** Undefined = the body is no such response. */
export function saidBy({ headers, body }: HttpResponse): Said | undefined {
  const isStream = String(headers["content-type"]).startsWith("text/event-stream");
  const pieces = isStream ? eventsOf(body.toString()) : [jsonOf(body) as Body | undefined];
  let text = "";
  let finishReason = "";
  let usage: Body["usage"];
  let hasChoices = false;
  for (const piece of pieces) {
    usage = piece?.usage ?? usage;
    const choice = piece?.choices?.[0];
    if (choice === undefined) continue;
    hasChoices = true;
    text += textOf(choice);
    if (typeof choice.finish_reason === "string") finishReason = choice.finish_reason;
  }
  if (!hasChoices) return undefined;
  return {
    text,
    finishReason,
    promptTokens: usage?.prompt_tokens,
    completionTokens: usage?.completion_tokens,
  };
}

/** Reasoning models have their first tokens elsewhere. */
function textOf({ text, message, delta }: Choice): string {
  const of = message ?? delta ?? {};
  const parts = [text, of["reasoning_content"], of["reasoning"], of["content"]];
  return parts.filter((part) => typeof part === "string").join("");
}

function eventsOf(text: string): Body[] {
  return text.split("\n").flatMap((line) => {
    if (!line.startsWith("data: {")) return [];
    const value = jsonOf(Buffer.from(line.slice("data: ".length)));
    return value === undefined ? [] : [value as Body];
  });
}

export function jsonOf(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString()) as unknown;
  } catch {
    return undefined;
  }
}

/** `502 GP_PREFILL_FAILED: …`: the status, and what the error body says. */
export function errorOf({ status, body }: HttpResponse): string {
  const value = jsonOf(body) as
    | { readonly error?: unknown; readonly message?: unknown; readonly detail?: unknown }
    | undefined;
  const error = value?.error;
  const { code, message } =
    typeof error === "object" && error !== null
      ? (error as { readonly code?: unknown; readonly message?: unknown })
      : { code: undefined, message: error ?? value?.message ?? value?.detail };
  const name = typeof code === "string" ? ` ${code}` : "";
  const said = typeof message === "string" ? message : body.toString("latin1", 0, 200).trim();
  return said === "" ? `${status}${name}` : `${status}${name}: ${said.slice(0, 300)}`;
}
