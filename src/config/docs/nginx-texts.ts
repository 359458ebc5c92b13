/** The texts of docs/nginx.md that no table of directives has. */

export const intro = `# nginx.conf

<!-- Made by \`npm run docs\` from src/config/nginx/directives/ and src/config/docs/. -->

An nginx.conf runs here without changes: with stock directives, with those of the original's modules, and with the
proxy's own (\`pd_…\`). What the proxy cannot do is an error or a notice, never a silent difference.

## An example

Save this as \`pd.conf\`. Prefill and decode on different engines take two locations: \`prefill\` names the one that
the prompt goes to first, and \`pd_dialect\` the protocol by which the engines move the KV cache
([dialects.md](dialects.md)).

\`\`\`nginx
events {}
http {
    upstream prefill_engines { predictive; server 127.0.0.1:8090; server 127.0.0.1:8091; }
    upstream decode_engines  { least_kv;   server 127.0.0.1:8094; server 127.0.0.1:8095; }
    server {
        listen 8080;
        location /v1 {
            prefill /prefill;
            pd_dialect omni;
            proxy_pass http://decode_engines;
        }
        location /prefill/ {
            internal;
            proxy_pass http://prefill_engines/;
        }
    }
}
\`\`\`

Start four [simulated engines](simulated-engine.md), check the file, and serve:

\`\`\`sh
for port in 8090 8091; do bin/global-proxy engine --role prefill --port $port & done
for port in 8094 8095; do bin/global-proxy engine --role decode --port $port & done
bin/global-proxy -t -c pd.conf
bin/global-proxy -c pd.conf &
curl http://127.0.0.1:8080/v1/completions -H 'Content-Type: application/json' \\
  -d '{"model":"simulated","prompt":"Hello","max_tokens":16,"stream":true}'
\`\`\`

- \`-t\` reports all errors at once, in nginx's words, with file, line and column.
- Each directive without effect is reported once, as a notice.
- \`-s reload\`, \`-s quit\` and nginx's other switches work as in nginx.
- \`global-proxy convert pd.conf\` prints [YAML](configuration.md) with the same meaning.
- [Variables](configuration.md#variables) are those of the YAML format.
- More files are in [examples/](../examples/README.md).
- [migrating.md](migrating.md) lists the directives of the original's modules.

## Inheritance

As in nginx: a directive holds for the blocks inside, until one of them has it too. Of directives that may be
repeated, such as \`proxy_set_header\`, \`add_header\`, \`access_log\` and \`error_page\`, a block that has one inherits
none.
`;

/** Above the table of differences. */
export const comparison = `Tests ask nginx and the proxy the same, and compare what clients and engines get. These are
the differences:
`;

/** Below the table of differences. */
export const regexNote = `What only PCRE has is translated if that is exact: \`[[:alpha:]]\`, \`\\h\`, \`\\A\`,
\`\\z\`, \`\\Q…\\E\`, \`(?P<name>…)\`, and a leading \`(?i)\` in locations, maps, \`rewrite\` and \`if\`.
Possessive and atomic groups, \`\\K\` and inner flags are errors.
`;
