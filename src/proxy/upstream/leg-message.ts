/**
 * Puts the request of one leg together and sends it: a head by the route's plan, the client's body by the dialect's
 * edits.
 */
import type { OutgoingBody } from "../../body/edit/pieces.ts";
import { joinBytesMax } from "../../limits.ts";
import type { Engine } from "../../pool/engine.ts";
import type { Pool } from "../../pool/pool.ts";
import type { RequestLeg } from "../../scoreboard/leg-counts.ts";
import type { RequestContext } from "../context/request-context.ts";
import { type Scratch, writeHead } from "../context/scratch.ts";
import type { Route } from "../routing/route.ts";
import type { LegOwner } from "./connection/connection-owner.ts";
import type { EngineConnection } from "./connection/engine-connection.ts";
import type { EngineTimeouts } from "./connection/engine-timeouts.ts";

/** Who sends it, to which engine. */
export interface LegSender extends LegOwner<EngineConnection> {
  /** Undefined = it is none of a request's legs. */
  readonly name?: RequestLeg;
  readonly engine: Engine | undefined;
  readonly pool: Pool | undefined;
  /** Path and query for the engine. */
  readonly uri: string;
  /** The request has so many bytes. */
  sent(bytes: number): void;
}

export interface LegMessage {
  readonly context: RequestContext;
  /** The route whose header lines this leg gets. */
  readonly headers: Route;
  readonly timeouts: EngineTimeouts;
  /** Undefined = the body goes as it came. */
  readonly edits: OutgoingBody | undefined;
  /** The dialect reads the response. */
  readonly isRead: boolean;
  /** In `X-Request-Id`; "" = the proxy gives none. */
  readonly requestId: string;
  /** The KV transfer needs this id, whatever the route sets. */
  readonly isTransferId: boolean;
  /** Further header lines, each with its CRLF. */
  readonly lines: string;
}

export function sendLegMessage(
  leg: LegSender,
  connection: EngineConnection,
  message: LegMessage,
  scratch: Scratch,
): void {
  const { context, headers, timeouts, edits } = message;
  const { address } = leg.engine!;
  // Each leg has a pool of its own, which its default `Host` names.
  context.proxyHost = leg.pool!.name;
  const bodyBytes = edits?.byteLength ?? context.body.length;
  const head = headers.heads.render(
    context,
    message.isRead,
    leg.uri,
    address.host === undefined ? "localhost" : address.key,
    message.requestId,
    bodyBytes,
    context.trace === undefined
      ? message.lines
      : message.lines + context.trace.lines(context, leg.name),
    message.isTransferId,
    context.isOpen ? "" : leg.pool!.engineKey,
  );
  const joined = bodyBytes <= joinBytesMax;
  const outBytes = head.length + (joined ? bodyBytes : 0);
  const out = scratch.take(outBytes, connection.connecting);
  writeHead(out, head);
  if (joined && edits !== undefined) edits.writeTo(out, head.length);
  else if (joined) context.body.copy(out, head.length);
  leg.sent(head.length + bodyBytes);
  connection.mayUpgrade = context.upgrade !== "";
  connection.send(out, outBytes, context.method, leg, timeouts);
  if (connection.pendingBytes > 0) scratch.lost(out);
  if (joined) return;
  // A large body goes out as slices of what arrived: a copy of it would cost more than the further writes.
  if (edits === undefined) connection.sendMore(context.body);
  else for (const slice of edits.slices()) connection.sendMore(slice);
}
