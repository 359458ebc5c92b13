/** Asks an engine for the usage in every event of a stream, where the route says so. */
import type { Edits } from "../../body/edit/splice.ts";
import { KeyName } from "../../body/json/key-name.ts";
import type { TopLevel } from "../../body/json/top-level.ts";
import { isTrue } from "../../dialects/shared/member-facts.ts";
import { setMember } from "../../dialects/shared/members.ts";
import type { RequestContext } from "../context/request-context.ts";
import type { Route } from "../routing/route.ts";

const stream = new KeyName("stream");
const streamOptions = new KeyName("stream_options");
const usage = Buffer.from('{"include_usage":true,"continuous_usage_stats":true}');

/** Whether the body may have to be changed: only completions and chats have such options. */
export function mayAskForUsage({ config }: Route, { method, path }: RequestContext): boolean {
  return config.streamUsage && method === "POST" && path.endsWith("/completions");
}

/** Engines reject the options where nothing is streamed. */
export function askForUsage(members: TopLevel, edits: Edits): void {
  if (isTrue(members, stream)) setMember(members, edits, streamOptions, usage);
}
