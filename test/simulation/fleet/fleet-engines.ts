/**
 * Engines that generate, of any dialect: how they respond once the KV cache is where it should be. What no proxy may
 * send is noted as a violation. How a dialect passes the KV cache on stands in `dialect-engines.ts`.
 */
import type { DialectName } from "../../../src/dialects/registry.ts";
import { Client } from "../client.ts";
import { chunk, chunkedHead, type EngineConnection, response, type Script } from "../engine.ts";
import { type Message, onlyField } from "../http-reader.ts";
import type { World } from "../world.ts";
import type { Chance } from "./chance.ts";
import { type Asked, type Reply, readAsked, reply } from "./generation.ts";
import { contentOf, KvBook } from "./kv-book.ts";

/** Tokens that are cached before the prefill, and what decode takes for cached. */
const cachedBefore = 3;
const cachedAtDecode = 99;

export interface FleetRules {
  readonly dialect: DialectName;
  /** Decode computes some prompts itself. */
  readonly mayComputeAlone: boolean;
  /** Decode engines preempt some requests, and expect them again. */
  readonly preempts: boolean;
}

/** What an engine does with a request that it has read. @returns what is wrong with the request */
export type Handler = (visit: Visit) => string | undefined;

/** One request at an engine. */
export interface Visit {
  readonly asked: Asked;
  readonly request: Message;
  readonly connection: EngineConnection;
  /** The engine's host name. */
  readonly host: string;
  /** What both engines see as the request's id. */
  readonly id: string;
  /** The body as it came, for numbers that have no double. */
  readonly text: string;
}

export class FleetEngines {
  readonly kv = new KvBook();
  readonly world: World;
  readonly chance: Chance;
  readonly rules: FleetRules;
  /** How many responses engines have broken off to be continued. */
  preempted = 0;
  /** How many decode requests went on where another engine had stopped. */
  continued = 0;
  /** How often each prompt has come to engines: of prefill, of decode. */
  readonly visits = new Map<string, { prefill: number; decode: number }>();
  readonly #closing = new Set<string>();
  readonly #eventGapMs: number;
  #responses = 0;

  constructor(world: World, chance: Chance, rules: FleetRules) {
    this.world = world;
    this.chance = chance;
    this.rules = rules;
    this.#eventGapMs = chance.of([10, 60]);
    // As engines of HTTP/1.0: what ends their responses is the end of the connection.
    for (const { address } of world.decode) if (chance.happens(0.2)) this.#closing.add(address);
  }

  /** An engine that responds 400 to what no proxy may send. */
  strict(handler: Handler): Script {
    return (request, connection) => {
      const { engine } = connection;
      const wrong = this.#wrongWith(handler, request, connection);
      if (wrong === undefined) return;
      engine.violations.push(`${engine.address}: ${wrong}: ${request.body}`);
      connection.send(response("{}", "400 Bad Request"));
    };
  }

  #wrongWith(handler: Handler, request: Message, connection: EngineConnection) {
    const [method = "", path = ""] = request.startLine.split(" ");
    if (method !== "POST") return request.startLine;
    try {
      const asked = readAsked(path, request.body);
      this.#count(asked, connection.engine.role === "prefill" ? "prefill" : "decode");
      const [host = ""] = connection.engine.address.split(":");
      const id = onlyField(request, "x-request-id") ?? "";
      return handler({ asked, request, connection, host, id, text: request.body.toString() });
    } catch (cause) {
      return (cause as Error).message;
    }
  }

  #count(asked: Asked, leg: "prefill" | "decode"): void {
    const content = contentOf(asked);
    const visits = this.visits.get(content) ?? { prefill: 0, decode: 0 };
    visits[leg] += 1;
    this.visits.set(content, visits);
  }

  /** A prefill's response in one piece. @param more further members, with a comma before each */
  respondPrefill({ asked, id, connection }: Visit, more = "", ofChoice = ""): void {
    const one = { ...asked, stream: false, maxTokens: 1, ids: false };
    const { whole } = reply(one, { id, created: this.#created(), cached: cachedBefore });
    const withChoice = whole.replace('{"index":0,', `{"index":0,${ofChoice}`);
    connection.send(response(`${withChoice.slice(0, -1)}${more}}`));
  }

  /** @param isAlone this engine has computed the prompt as well */
  respondDecode({ asked, id, connection }: Visit, isAlone = false): void {
    const { chance, rules } = this;
    if (asked.done > 0) this.continued += 1;
    const isPreempted = rules.preempts && chance.happens(0.3);
    if (isPreempted) this.preempted += 1;
    const cached = isAlone ? cachedBefore : cachedAtDecode;
    const made = { id, created: this.#created(), cached };
    const all = reply(asked, made, isPreempted ? chance.below(4) : undefined);
    const isClosing = this.#closing.has(connection.engine.address);
    if (!asked.stream) connection.after(5, () => connection.send(response(all.whole)));
    else if (isClosing) streamUntilClosed(connection, all, this.#eventGapMs);
    else streamInChunks(connection, all, this.#eventGapMs);
  }

  /** Calls the proxy as a decode engine does that wants its prefill. */
  call(url: string, body: string): void {
    const { hostname: host, port, pathname } = new URL(url);
    const caller = new Client();
    caller.connected = () =>
      caller.send(
        `POST ${pathname} HTTP/1.1\r\nHost: ${host}\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
      );
    caller.socket = this.world.network.connect({ host, port: Number(port) }, caller);
    // So that it is closed with the others.
    this.world.clients.push(caller);
  }

  /** Each response has its own. */
  #created(): number {
    this.#responses += 1;
    return 1_700_000_000 + this.#responses;
  }
}

function streamInChunks(connection: EngineConnection, { events }: Reply, eventGapMs: number): void {
  connection.send(chunkedHead);
  events.forEach((event, i) => {
    const last = i === events.length - 1 ? "0\r\n\r\n" : "";
    connection.after(eventGapMs * (i + 1), () => connection.send(chunk(event) + last));
  });
}

function streamUntilClosed(
  { send, after, socket }: EngineConnection,
  { events }: Reply,
  eventGapMs: number,
): void {
  send("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n");
  events.forEach((event, i) => void after(eventGapMs * (i + 1), () => send(event)));
  after(eventGapMs * (events.length + 1), () => socket.end());
}
