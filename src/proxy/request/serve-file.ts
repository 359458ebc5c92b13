/** A request whose route has files: a file, or whatever is to happen without one. */
import type { Outcome } from "../context/outcomes.ts";
import { FileReply, type FileRequest } from "../response/local/file-reply.ts";
import type { FilePaths } from "../routing/files/file-paths.ts";
import type { ReturnedReply } from "../routing/rewrite.ts";
import type { Route } from "../routing/route.ts";
import type { Routed, Server } from "../routing/server.ts";
import { findFile } from "./find-file.ts";

interface FiledRequest extends Omit<FileRequest, "missing"> {
  readonly server: Server;
  /** Of which the file is the page, if there was one. */
  readonly shownError: { readonly outcome: Outcome | undefined };
  forward(route: Route): void;
  returns(reply: ReturnedReply): void;
  reroute(routed: Routed): void;
}

/** Undefined = there is no file, and the request has gone on. */
export function serveFile(
  request: FiledRequest,
  route: Route,
  files: FilePaths,
): FileReply | undefined {
  const { context, server } = request;
  const found = findFile(context, server, route, files);
  if (found.kind === "file") {
    const type = route.contentTypeOf(context.path);
    const missing = (status: number) => withoutFile(request, { status });
    return new FileReply(request, missing, found.file, type, files.config);
  }
  if (found.kind === "forward") request.forward(route);
  else if (found.kind === "routed") request.reroute(found.routed);
  else withoutFile(request, found.reply);
  return undefined;
}

/** Of an error whose page is not there the client learns what it was. */
function withoutFile(request: FiledRequest, reply: ReturnedReply): void {
  const { outcome } = request.shownError;
  if (outcome !== undefined && reply.status >= 400) request.ended(outcome);
  else request.returns(reply);
}
