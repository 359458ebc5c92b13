/**
 * Debian's nginx as the judge of what nginx does: started on unix sockets of a folder of its own, asked with raw
 * requests.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { connect, type NetConnectOpts } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { nginxEnvironment } from "../../nginx/harness/nginx.ts";

export interface Nginx {
  /** Its folder: the configuration may name sockets and logs in it as `./name`. */
  readonly dir: string;
  read(file: string): string;
  stop(): Promise<void>;
}

/**
 * Starts one process with this http block; resolves when it answers on the unix socket `main.sock`.
 * `%dir%` in the text stands for the folder.
 */
export async function startNginx(http: string): Promise<Nginx> {
  const dir = mkdtempSync(join(tmpdir(), "gp-nginx-"));
  const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
    .map((name) => `${name}_temp_path ${dir}/${name};`)
    .join("\n");
  const conf = `daemon off; master_process off; pid ${dir}/pid; error_log ${dir}/error.log warn;
events { worker_connections 512; }
http {
${temporary}
access_log off;
${http.replaceAll("%dir%", dir)}
}
`;
  writeFileSync(join(dir, "nginx.conf"), conf);
  const args = ["-p", dir, "-c", join(dir, "nginx.conf"), "-e", join(dir, "error.log")];
  const child: ChildProcess = spawn("nginx", args, {
    env: nginxEnvironment,
    stdio: ["ignore", "ignore", "pipe"],
  });
  let errors = "";
  child.stderr!.on("data", (part: Buffer) => {
    errors += part;
  });
  const exited = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  for (let tries = 0; ; tries += 1) {
    const up = await isListening(join(dir, "main.sock"));
    if (up) break;
    if (child.exitCode !== null || tries > 6_000) {
      child.kill("SIGKILL");
      throw new Error(`nginx does not start: ${errors}${readFileSync(join(dir, "error.log"))}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  return {
    dir,
    read: (file) => readFileSync(join(dir, file), "latin1"),
    async stop() {
      child.kill("SIGTERM");
      await exited;
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

function isListening(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ path });
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", () => resolve(false));
  });
}

export interface Reply {
  readonly status: number;
  /** By lower-case name; the last of several. */
  readonly fields: Readonly<Record<string, string>>;
  readonly body: string;
}

/** Sends bytes (latin1) on a connection of their own, which the request must ask to close, and reads the answer. */
export function ask(to: NetConnectOpts, request: string): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const socket = connect(to);
    let text = "";
    socket.setEncoding("latin1");
    socket.on("data", (part: string) => {
      text += part;
    });
    socket.once("error", reject);
    socket.once("close", () => resolve(parseReply(text)));
    socket.write(request, "latin1");
  });
}

function parseReply(text: string): Reply {
  const blank = text.indexOf("\r\n\r\n");
  const [statusLine = "", ...lines] = text.slice(0, Math.max(0, blank)).split("\r\n");
  const fields: Record<string, string> = {};
  for (const line of lines) {
    const colon = line.indexOf(":");
    fields[line.slice(0, colon).toLowerCase()] = line.slice(colon + 1).trim();
  }
  const body = text.slice(blank + 4);
  return { status: Number(statusLine.split(" ")[1] ?? 0), fields, body };
}

/** A GET that closes; `lines` are further header lines. */
export function get(target: string, host = "a.example", ...lines: string[]): string {
  const head = [`GET ${target} HTTP/1.1`, `Host: ${host}`, "Connection: close", ...lines];
  return `${head.join("\r\n")}\r\n\r\n`;
}
