/** nginx as a plain streaming reverse proxy, one hop to the decode engine: the unit of every ratio. */

import { execFileSync } from "node:child_process";
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Engine } from "../engine-handle.ts";
import {
  freePort,
  PROXY_CORE,
  processTree,
  run,
  scratchFolder,
  sleep,
  start,
  waitForPort,
} from "../process.ts";
import type { Rival, RunningRival } from "./rival.ts";

const WORKER_WAIT_MS = 5000;

/** @param folder with a certificate: clients speak TLS; undefined = they do not */
export function oneHop(port: number, engine: Engine, folder?: string): string {
  const tls =
    folder === undefined
      ? ""
      : `ssl_certificate ${folder}/own.crt; ssl_certificate_key ${folder}/own.key; ssl_protocols TLSv1.2 TLSv1.3;`;
  return `
worker_processes 1;
daemon off;
pid nginx.pid;
error_log stderr warn;
events { worker_connections 32768; }
http {
  access_log off;
  client_body_buffer_size 512k;
  keepalive_requests 100000000;
  client_body_temp_path body;
  proxy_temp_path proxy;
  fastcgi_temp_path fastcgi;
  uwsgi_temp_path uwsgi;
  scgi_temp_path scgi;
  upstream decode {
    server 127.0.0.1:${engine.decodePort};
    keepalive 64;
    keepalive_requests 100000000;
  }
  server {
    listen 127.0.0.1:${port} ${folder === undefined ? "" : "ssl "}backlog=4096;
    ${tls}
    location / {
      proxy_pass http://decode;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_buffering off;
    }
  }
}
`;
}

/** A certificate of the run's own. */
export function makeCertificate(folder: string): void {
  const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
  const files = ["-keyout", join(folder, "own.key"), "-out", join(folder, "own.crt")];
  const args = ["req", "-x509", ...key, "-days", "2", "-subj", "/CN=localhost", ...files];
  execFileSync("openssl", args, { stdio: "ignore" });
}

async function startNginx(engine: Engine, isTls: boolean): Promise<RunningRival> {
  const prefix = scratchFolder("nginx");
  const port = await freePort();
  if (isTls) makeCertificate(prefix);
  writeFileSync(join(prefix, "nginx.conf"), oneHop(port, engine, isTls ? prefix : undefined));
  const started = start(PROXY_CORE, "nginx", ["-p", prefix, "-c", join(prefix, "nginx.conf")]);
  await waitForPort(started, port);
  const giveUpMs = performance.now() + WORKER_WAIT_MS;
  while (processTree(started.pid).length < 2 && performance.now() < giveUpMs) await sleep(10);
  const workers = processTree(started.pid).slice(1);
  if (workers.length !== 1) throw new Error(`nginx has ${workers.length} workers, not one`);
  return {
    port,
    isTls,
    pids: () => workers,
    output: () => started.output(),
    stop: async () => {
      await started.stop();
      rmSync(prefix, { recursive: true, force: true });
    },
  };
}

async function version(): Promise<string | null> {
  try {
    return (await run(null, "sh", ["-c", "nginx -v 2>&1"], 5000)).trim().replace(/.*nginx\//, "");
  } catch {
    return null;
  }
}

export const nginx: Rival = {
  id: "nginx",
  title: "nginx, one hop",
  disaggregates: false,
  version,
  start: (engine) => startNginx(engine, false),
};

export const nginxTls: Rival = {
  ...nginx,
  id: "nginx-tls",
  title: "nginx, one hop, TLS",
  isTls: true,
  start: (engine) => startNginx(engine, true),
};

/** The same again: how far its ratio is from 1 is the error of the whole measurement. */
export const nginxAgain: Rival = { ...nginx, id: "nginx-again", title: "nginx, one hop (control)" };
