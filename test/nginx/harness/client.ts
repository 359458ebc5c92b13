/** Clients of the suite: send bytes, and read all that comes. */
import { connect } from "node:net";
import { patienceMs } from "../../support/times.ts";
import type { Script } from "./case.ts";
import { responseEnd } from "./messages.ts";
import { type Events, Inbox, play } from "./play.ts";

export interface Conversation {
  /** Of a connection that stays open. */
  readonly responses: number;
  /** Responses have no bodies. */
  readonly isHead: boolean;
  readonly events: Events;
}

/**
 * @returns what came, latin1, and how it ended: until the connection closed, was reset, or has had so many responses
 */
export async function converse(
  port: number,
  script: Script,
  { responses, isHead, events }: Conversation,
): Promise<string> {
  const inbox = new Inbox();
  const socket = connect({ host: "127.0.0.1", port, allowHalfOpen: true, noDelay: true });
  let end = "";
  socket.on("data", (bytes) => inbox.add(bytes));
  socket.on("end", () => inbox.close());
  socket.on("close", () => inbox.close());
  socket.on("error", (error: NodeJS.ErrnoException) => {
    end = `\n[${error.code}]`;
    inbox.close();
  });
  const deadline = setTimeout(() => {
    end = "\n[nothing came any more]";
    inbox.close();
  }, patienceMs);
  await play(script, socket, inbox, events);
  while (!inbox.isClosed && !isComplete(inbox.text, responses, isHead)) await inbox.changes();
  clearTimeout(deadline);
  socket.destroy();
  return inbox.text + end;
}

/** Of a response that says that its connection closes, the end counts as well. */
function isComplete(text: string, responses: number, isHead: boolean): boolean {
  let start = 0;
  for (let count = 0; count < responses; count += 1) {
    const end = responseEnd(text.slice(start), isHead);
    if (end < 0) return false;
    if (/^connection: *close/im.test(text.slice(start, start + end))) return false;
    start += end;
  }
  return true;
}
