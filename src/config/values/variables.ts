/**
 * Names of the variables that templates may contain. `src/proxy/routing/variables.ts` gives them values; a test keeps
 * the two lists equal.
 */

/** Variables with a fixed name. */
export const variableNames = [
  "arg_",
  "args",
  "auth_tenant",
  "binary_remote_addr",
  // Members of a JSON body, by their names in lower case. They are empty while a route is chosen.
  "body_",
  "body_bytes_sent",
  "bytes_sent",
  "connection",
  "connection_requests",
  "connection_time",
  "content_length",
  "content_type",
  "cookie_",
  "document_root",
  "document_uri",
  "host",
  "hostname",
  "http2",
  "http_",
  "https",
  "is_args",
  "limit_rate",
  "limit_conn_status",
  "limit_req_status",
  "msec",
  "nginx_version",
  "pid",
  "pipe",
  "proxy_add_x_forwarded_for",
  "proxy_host",
  "proxy_port",
  "query_string",
  "realpath_root",
  "remote_addr",
  "remote_port",
  "remote_user",
  "request",
  "request_body",
  "request_completion",
  "request_filename",
  "request_id",
  "request_length",
  "request_method",
  "request_time",
  "request_uri",
  "scheme",
  "sent_http_",
  "server_addr",
  "server_name",
  "server_port",
  "server_protocol",
  // When the request came, in nanoseconds since the epoch.
  "start_time_ns",
  // Of connections with TLS.
  "ssl_alpn_protocol",
  "ssl_cipher",
  "ssl_client_cert",
  "ssl_client_escaped_cert",
  "ssl_client_fingerprint",
  "ssl_client_i_dn",
  "ssl_client_i_dn_legacy",
  "ssl_client_raw_cert",
  "ssl_client_s_dn",
  "ssl_client_s_dn_legacy",
  "ssl_client_serial",
  "ssl_client_v_end",
  "ssl_client_v_remain",
  "ssl_client_v_start",
  "ssl_client_verify",
  "ssl_early_data",
  "ssl_protocol",
  "ssl_server_name",
  "ssl_session_reused",
  "status",
  "time_iso8601",
  "time_local",
  // Of W3C Trace Context: the request's own, or a new one.
  "traceparent",
  "upstream_addr",
  "upstream_bytes_received",
  "upstream_bytes_sent",
  "upstream_connect_time",
  "upstream_header_time",
  "upstream_http_",
  "upstream_response_length",
  "upstream_response_time",
  "upstream_status",
  "uri",
  // Of P/D requests. Times are in milliseconds since the request arrived, unless the name says otherwise.
  "encode_addr",
  "prefill_addr",
  "decode_addr",
  "prefill_status",
  "prefill_time_ms",
  "held_ms",
  "queue_ms",
  "ttft_ms",
  "outcome",
  "retry_refused",
] as const;

export type VariableName = (typeof variableNames)[number];

const fixed: ReadonlySet<string> = new Set(variableNames);
const prefixes = variableNames.filter((name) => name.endsWith("_"));

/** Names that end in `_` are families: `http_` covers `http_user_agent`. Letter case does not count, as in nginx. */
export function isBuiltInVariable(name: string): boolean {
  const lower = name.toLowerCase();
  // A family without a name is a variable, too: it is empty.
  if (fixed.has(lower)) return true;
  return prefixes.some((prefix) => lower.startsWith(prefix));
}

/** Whether no configuration can define it. One of a family it can, as in nginx. */
export function isReservedVariable(name: string): boolean {
  return fixed.has(name.toLowerCase()) && !name.endsWith("_");
}

/** Built-in variables that steps can set: they change what they name. */
export const settableVariables: readonly string[] = ["args", "limit_rate"];
