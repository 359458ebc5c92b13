/**
 * Engines that get a request at once and meet in a room, as SGLang's do: neither gets on without the other. What the
 * proxy may not do is noted as a violation.
 */
import { chunk, chunkedHead, type EngineConnection, response, type Script } from "../engine.ts";
import type { Message } from "../http-reader.ts";
import { jsonResponse, sseEvents } from "../prompts.ts";

interface Room {
  prefill: (() => void) | undefined;
  decode: (() => void) | undefined;
}

interface Meeting {
  readonly prompt: string;
  readonly max_tokens: number;
  readonly stream?: boolean;
  readonly bootstrap_room?: unknown;
}

export class MeetingEngines {
  readonly #rooms = new Map<string, Room>();
  /** Who is in a room, or was last. */
  readonly #guests = new Map<string, EngineConnection>();

  readonly prefills: Script = (request, connection) => {
    const room = this.#enter("prefill", request, connection);
    if (room === undefined) return;
    room.prefill = () => connection.send(response('{"choices":[],"usage":{"prompt_tokens":3}}'));
    meet(room);
  };

  readonly decodes: Script = (request, connection) => {
    const room = this.#enter("decode", request, connection);
    if (room === undefined) return;
    const { prompt, max_tokens, stream } = meetingOf(request).body;
    room.decode = () => {
      if (stream !== true) {
        connection.send(response(jsonResponse(prompt)));
        return;
      }
      connection.send(chunkedHead);
      const events = sseEvents(prompt, max_tokens);
      events.forEach((event, i) => {
        const last = i === events.length - 1 ? "0\r\n\r\n" : "";
        connection.after(10 * (i + 1), () => connection.send(chunk(event) + last));
      });
    };
    meet(room);
  };

  /** One at a time: a request whose connection broke may be sent once more. */
  #enter(
    leg: "prefill" | "decode",
    request: Message,
    connection: EngineConnection,
  ): Room | undefined {
    const { engine, send } = connection;
    const { room: name, body } = meetingOf(request);
    const guest = `${leg} ${name}`;
    const violation = (text: string) => engine.violations.push(`${engine.address}: ${text}`);
    if (name === undefined) violation(`no room in ${JSON.stringify(body)}`);
    else if (this.#guests.get(guest)?.socket.closed === false) violation(`a second ${guest}`);
    else {
      this.#guests.set(guest, connection);
      const room = this.#rooms.get(name) ?? { prefill: undefined, decode: undefined };
      this.#rooms.set(name, room);
      return room;
    }
    send(response("{}", "400 Bad Request"));
    return undefined;
  }
}

function meet(room: Room): void {
  const { prefill, decode } = room;
  if (prefill === undefined || decode === undefined) return;
  prefill();
  decode();
}

function meetingOf(request: Message): { readonly body: Meeting; readonly room?: string } {
  const text = request.body.toString();
  const room = /"bootstrap_room":\s*(\d+)/.exec(text)?.[1];
  return { body: JSON.parse(text) as Meeting, ...(room !== undefined && { room }) };
}
