/** Requests that a server with TLS does not take, by nginx's rules. */
import { isUnknownIssuer } from "../../transport/tls/verification.ts";
import { type Outcome, outcomes } from "../context/outcomes.ts";
import type { RequestContext } from "../context/request-context.ts";
import type { Server } from "./server.ts";
import { hostName } from "./variables.ts";
import type { VirtualServers } from "./virtual-servers.ts";

/** Undefined = the server takes it. */
export function tlsRefusal(
  context: RequestContext,
  servers: VirtualServers,
  server: Server,
): Outcome | undefined {
  const { tls, isPlainToTls } = context.connection;
  if (isPlainToTls) return outcomes.plainToTls;
  const clients = tls && server.config.tls?.clientCertificates;
  if (!clients) return undefined;
  const name = hostName(context.head.host);
  // Another server may have asked for no certificate, or for those of others.
  const isOther = name !== "" && name !== tls.serverName && tls.serverName !== "";
  if (isOther && servers.has(context, tls.serverName)) return outcomes.misdirected;
  const { peer } = tls;
  if (peer?.fault !== undefined) {
    const isAccepted = clients.verify === "optional_no_ca" && isUnknownIssuer(peer.faultCode);
    return isAccepted ? undefined : outcomes.clientCertificate;
  }
  return peer === undefined && clients.verify === "required"
    ? outcomes.noClientCertificate
    : undefined;
}
