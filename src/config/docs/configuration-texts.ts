/** The texts of docs/configuration.md that no schema has: the beginning, and what concerns several keys. */

export const intro = `# Configuration in YAML

<!-- Made by \`npm run docs\` from src/config/schema/ and src/config/docs/. -->

A YAML file says where your engines are, how requests are spread over them, and what clients may send. Small set-ups
need no file: \`--prefill\`, \`--decode\` and the other flags (\`global-proxy --help\`) mean the same.

## An example

Save this as \`pd.yaml\`. It has two prefill and two decode engines:

\`\`\`yaml
# yaml-language-server: $schema=./node_modules/global-proxy/config.schema.json
pools:
  prefill:
    engines: [{ url: "http://127.0.0.1:8090" }, { url: "http://127.0.0.1:8091" }]
  decode:
    engines: [{ url: "http://127.0.0.1:8094" }, { url: "http://127.0.0.1:8095" }]
servers:
  - listen: [{ port: 8080 }]
    routes:
      - match: { path: /v1 }
        dialect: omni
        prefill: { pool: prefill }
        target: { pool: decode }
\`\`\`

Start four [simulated engines](simulated-engine.md), check the file, and serve:

\`\`\`sh
for port in 8090 8091; do bin/global-proxy engine --role prefill --port $port & done
for port in 8094 8095; do bin/global-proxy engine --role decode --port $port & done
bin/global-proxy -t -c pd.yaml
bin/global-proxy -c pd.yaml &
curl http://127.0.0.1:8080/v1/completions -H 'Content-Type: application/json' \\
  -d '{"model":"simulated","prompt":"Hello","max_tokens":16,"stream":true}'
\`\`\`

After a change, \`bin/global-proxy -s reload -c pd.yaml\` puts the file in force without losing a request. The first
line gives editors completion and explanations.

## Rules

- A file that ends in \`.yaml\`, \`.yml\` or \`.json\` is read in this format; any other file is read as
  [nginx.conf](nginx.md). \`global-proxy convert nginx.conf\` prints YAML with the same meaning.
- Unknown keys are errors. All errors are reported at once, with line, column and the nearest valid word.
- Times are in milliseconds and sizes in bytes, as the names say.
- Relative paths start at the prefix: \`-p\`, or the working directory.
- A value that is called a template may contain [variables](#variables).
`;

export const logs = `## Logs

Lines of the error log have nginx's form. The number after the process id is the thread: 0 is the main thread, N + 1
is worker N.

\`\`\`
2026/11/22 19:13:27 [error] 7851#1: message, client: 10.0.0.1, upstream: 127.0.0.1:8090
\`\`\`

Lines of access logs are collected and written within 200 ms. Log files are only appended to, and \`-s reopen\`
(SIGUSR1) opens them again after a rotation. If the disk is full, lines are lost, but no requests.
`;

export const templates = `## Variables

A template may contain variables as \`$name\` or \`\${name}\`. There are those that \`maps\` and \`set\` define, the
captures of regular expressions (\`$1\`, \`(?<name>…)\`), and these:
`;
