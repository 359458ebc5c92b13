/** What the simulated clients ask and the simulated engines answer: the response is a function of the prompt alone. */

export interface Ask {
  readonly prompt: string;
  readonly stream: boolean;
  /** Events of a streamed response. */
  readonly events?: number;
}

export function requestBody({ prompt, stream, events = 3 }: Ask): string {
  return JSON.stringify({ model: "m", prompt, max_tokens: events, ...(stream ? { stream } : {}) });
}

export function responseText(prompt: string): string {
  return `${prompt.length}:${[...prompt.slice(0, 20)].reverse().join("")}`;
}

export function jsonResponse(prompt: string): string {
  return JSON.stringify({ choices: [{ text: responseText(prompt) }] });
}

export function sseEvents(prompt: string, events: number): string[] {
  const texts = Array.from({ length: events }, (_, i) => `${i}.${responseText(prompt)}`);
  return [...texts.map((text) => `data: ${JSON.stringify({ text })}\n\n`), "data: [DONE]\n\n"];
}

/** The body that the client must get. */
export function rightResponse({ prompt, stream, events = 3 }: Ask): string {
  return stream ? sseEvents(prompt, events).join("") : jsonResponse(prompt);
}
