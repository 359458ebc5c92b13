/** One nginx.conf of many cases: a server block for each, at a port of its own, with engines of its own. */
import type { WireCase } from "./case.ts";
import type { ScriptedEngine } from "./engine.ts";

/** A case with what it has for itself. */
export interface Place {
  readonly case: WireCase;
  readonly id: string;
  readonly port: number;
  readonly engines: readonly ScriptedEngine[];
  readonly enginePorts: readonly number[];
}

export interface Conf {
  readonly text: string;
  /** Whose text stands at a line, counted from 1. */
  readonly ownerOf: (line: number) => Place | undefined;
}

/** What is common to all cases. `main` and `http` are further directives of a group's. */
export interface Frame {
  readonly main?: string | undefined;
  readonly http?: string | undefined;
  /** Responds as soon as the server serves. */
  readonly probePort: number;
  /** The folder of logs and of what nginx needs. */
  readonly folder: string;
}

const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
  .map((kind) => `${kind}_temp_path temp_${kind};`)
  .join(" ");

export function confOf(places: readonly Place[], frame: Frame): Conf {
  const owners: (Place | undefined)[] = [undefined];
  const lines: string[] = [];
  const add = (text: string, owner?: Place) => {
    for (const line of text.split("\n")) {
      lines.push(line);
      owners.push(owner);
    }
  };
  add("daemon off; master_process off; worker_processes 1; pid nginx.pid;");
  if (frame.main !== undefined) add(frame.main.replaceAll("%dir%", frame.folder));
  // The proxy sends HTTP/1.1 to engines always: nginx is told to do so as well.
  add(`events { worker_connections 4096; }\nhttp { access_log off; ${temporary}`);
  add("proxy_http_version 1.1;");
  if (frame.http !== undefined) add(frame.http.replaceAll("%dir%", frame.folder));
  add(`server { listen 127.0.0.1:${frame.probePort}; return 204; }`);
  for (const place of places) add(blockOf(place, frame.folder), place);
  add("}");
  return { text: `${lines.join("\n")}\n`, ownerOf: (line) => owners[line] };
}

function blockOf({ case: one, id, port, enginePorts }: Place, folder: string): string {
  const { conf = "location / { proxy_pass http://%engine%; }", http = "", log } = one;
  const logged = log === undefined ? "" : ` access_log logs/${id}.log ${id};`;
  const formats = log === undefined ? "" : `log_format ${id} '${log}';\n`;
  const words: Record<string, string> = { id, port: `${port}`, dir: folder };
  for (const [index, engine] of enginePorts.entries()) {
    words[`engine${index + 1}`] = `127.0.0.1:${engine}`;
    words["engine"] ??= `127.0.0.1:${engine}`;
  }
  const text = `${formats}${http}\nserver { listen 127.0.0.1:${port};${logged}\n${conf}\n}`;
  return text.replaceAll(/%(\w+)%/g, (whole, word) => words[word] ?? whole);
}
