/**
 * Reads the stream of the dashboard, and connects again after it has broken off. By `fetch`, since an `EventSource`
 * cannot send the token.
 */
import type { Messages } from "../../src/control/admin/dashboard/messages.ts";
import { EventReader } from "../model/events.ts";
import type { Connection } from "../model/state.ts";
import { authorization } from "./token.ts";

interface Listener {
  message<Name extends keyof Messages>(name: Name, message: Messages[Name]): void;
  /** All messages that came together have been told. */
  settled(): void;
  connection(state: Connection): void;
}

const againMs = 1_500;
/** Without a message for so long the proxy is taken to be gone: it sends one a second. */
const silenceMs = 6_000;

/** Runs until the proxy asks for a token; call it again then. */
export async function followStream(listener: Listener): Promise<void> {
  for (;;) {
    const abort = new AbortController();
    try {
      const response = await fetch("/admin/stream", {
        headers: authorization(),
        signal: abort.signal,
      });
      if (response.status === 401) {
        listener.connection("token");
        return;
      }
      if (!response.ok || response.body === null) throw new Error(`status ${response.status}`);
      listener.connection("live");
      await readEvents(response.body, listener, abort);
    } catch {
      // Said by the state of the connection.
    }
    abort.abort();
    listener.connection("lost");
    await new Promise((resolve) => setTimeout(resolve, againMs));
  }
}

async function readEvents(
  body: ReadableStream<Uint8Array<ArrayBuffer>>,
  listener: Listener,
  abort: AbortController,
): Promise<void> {
  const events = new EventReader();
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  for (;;) {
    const timer = setTimeout(() => abort.abort(), silenceMs);
    const { value, done } = await reader.read();
    clearTimeout(timer);
    if (done) return;
    for (const { name, data } of events.add(value)) {
      listener.message(name as keyof Messages, JSON.parse(data) as never);
    }
    listener.settled();
  }
}

/** A page of the admin listener; throws if it does not respond with 200. */
export async function ask<T>(path: string): Promise<T> {
  const response = await fetch(path, { headers: authorization() });
  if (!response.ok) {
    const { error } = (await response.json()) as { error?: { message?: string } };
    throw new Error(error?.message ?? `status ${response.status}`);
  }
  return (await response.json()) as T;
}
