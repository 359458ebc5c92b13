/** Asks the installed nginx what it thinks of a configuration. */
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { patienceMs } from "../../support/times.ts";
import { nginxEnvironment } from "./nginx.ts";

export interface Verdict {
  readonly accepted: boolean;
  /** Of the first error, without its place. */
  readonly message: string;
}

/** What lets `nginx -t` run as any user: the rest of its paths lie in folders that only root may write to. */
const ownPaths = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
  .map((kind) => `${kind}_temp_path temp_${kind};`)
  .join(" ");

export class NginxOracle {
  readonly #folder = mkdtempSync(join(tmpdir(), "gp-nginx-"));

  constructor() {
    mkdirSync(join(this.#folder, "logs"));
  }

  /** A whole configuration. */
  test(text: string): Verdict {
    const file = join(this.#folder, "nginx.conf");
    writeFileSync(file, text);
    const { status, stderr } = spawnSync(
      "nginx",
      ["-t", "-p", this.#folder, "-c", file, "-e", "stderr"],
      { encoding: "utf8", env: nginxEnvironment, timeout: patienceMs },
    );
    const [, message = ""] =
      /\[emerg\] (?:\d+#\d+: )?(.*?)(?: in \S*nginx\.conf:\d+)?\nnginx: /s.exec(stderr) ?? [];
    return { accepted: status === 0, message: message.replaceAll(this.#folder, "") };
  }

  /** Directives of the http block. */
  testHttp(text: string): Verdict {
    return this.test(`pid nginx.pid; events {} http { access_log off; ${ownPaths}\n${text}\n}`);
  }

  close(): void {
    rmSync(this.#folder, { recursive: true });
  }
}
