/** Starts real engines and the proxy, and ends them. Everything is on loopback. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { openSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { freePorts } from "../support/ports.mjs";
import { pythonEnvironment, withoutBytecodeBan } from "./environment.mjs";

export const modelName = "tiny";
const maxModelLen = 2_048;
/** A first start compiles for minutes on a busy machine. */
const startTimeoutMs = 15 * 60_000;
const command = join(import.meta.dirname, "../../bin/global-proxy");

/**
 * The forms: each engine's role, its KV connector, and what the proxy is told of it. Those that need more than
 * `environment.mjs` installs run only if they are asked for.
 */
export const forms = {
  one: { roles: ["mixed"], dialect: undefined, connector: () => undefined },
  nixl: {
    roles: ["prefill", "decode"],
    dialect: "vllm-nixl",
    connector: () => ({
      kv_connector: "NixlConnector",
      kv_role: "kv_both",
      kv_buffer_device: "cpu",
      // NIXL's threads poll without a pause: one of them, not five, takes a core from all else.
      kv_connector_extra_config: { num_threads: 0 },
    }),
  },
  "shared-storage": {
    roles: ["prefill", "decode"],
    dialect: "shared-storage",
    connector: (_role, folder) => ({
      kv_connector: "ExampleConnector",
      kv_role: "kv_both",
      kv_connector_extra_config: { shared_storage_path: join(folder, "kvstore") },
    }),
  },
  mooncake: {
    isOptional: true,
    roles: ["prefill", "decode"],
    dialect: "vllm-mooncake",
    connector: (role) => ({
      kv_connector: "MooncakeConnector",
      kv_role: role === "prefill" ? "kv_producer" : "kv_consumer",
      kv_connector_extra_config: { mooncake_protocol: "tcp" },
    }),
    attributes: ({ ports }) => `?bootstrap_port=${ports.side}`,
  },
};
export const usualForms = Object.keys(forms).filter((name) => !forms[name].isOptional);

export class Fleet {
  /** What `prepare` returns. */
  installed;
  #folder;
  #running = new Set();

  /** @param folder for logs and what engines write @param installed as `prepare` returns it */
  constructor(folder, installed) {
    this.#folder = folder;
    this.installed = installed;
  }

  /** Resolves when the engine responds. @param options `port` of one that is started again */
  async engine(name, connector, options = {}) {
    const [free, side, events, replay, inner] = await freePorts(5);
    const ports = options.ports ?? { port: free, side, events, replay, inner };
    const engine = {
      name,
      ports,
      url: `http://127.0.0.1:${ports.port}`,
      log: join(this.#folder, `${name}.log`),
      restart: () => this.engine(name, connector, { ports }),
    };
    const kvEvents = {
      enable_kv_cache_events: true,
      publisher: "zmq",
      endpoint: `tcp://*:${ports.events}`,
      replay_endpoint: `tcp://*:${ports.replay}`,
      buffer_steps: 100_000,
    };
    const args = ["serve", this.installed.model, "--served-model-name", modelName];
    args.push("--host", "127.0.0.1", "--port", String(ports.port), "--dtype", "float32");
    args.push("--max-model-len", String(maxModelLen), "--enforce-eager", "--max-num-seqs", "16");
    args.push(
      "--enable-auto-tool-choice",
      "--tool-call-parser",
      "hermes",
      "--enable-prompt-tokens-details",
    );
    args.push("--kv-events-config", JSON.stringify(kvEvents));
    if (connector !== undefined) args.push("--kv-transfer-config", JSON.stringify(connector));
    const env = withoutBytecodeBan({
      ...process.env,
      ...pythonEnvironment,
      VLLM_CPU_KVCACHE_SPACE: "1",
      VLLM_CPU_OMP_THREADS_BIND: "nobind",
      VLLM_HOST_IP: "127.0.0.1",
      VLLM_PORT: String(ports.inner),
      VLLM_SERVER_DEV_MODE: "1",
      VLLM_NIXL_SIDE_CHANNEL_HOST: "127.0.0.1",
      VLLM_NIXL_SIDE_CHANNEL_PORT: String(ports.side),
      VLLM_MOONCAKE_BOOTSTRAP_PORT: String(ports.side),
      UCX_TLS: "tcp",
      UCX_NET_DEVICES: "lo",
      // Some CPUs say that they have instructions of bfloat16 and end the process at the first.
      ONEDNN_MAX_CPU_ISA: "AVX512_CORE",
    });
    const log = openSync(engine.log, "w");
    // A group of its own: an engine is several processes.
    engine.child = spawn(this.installed.vllm, args, {
      cwd: this.#folder,
      env,
      detached: true,
      stdio: ["ignore", log, log],
    });
    this.#running.add(engine.child);
    engine.child.on("exit", () => this.#running.delete(engine.child));
    await this.#up(engine);
    return engine;
  }

  /** @param args the proxy's own, without `--listen` */
  async proxy(args, runtime = "node") {
    const [port, admin] = await freePorts(2);
    const all = [...args, "--listen", `127.0.0.1:${port}`, "--admin", `127.0.0.1:${admin}`];
    const child = spawn(command, all, {
      env: { ...process.env, NO_COLOR: "1", GLOBAL_PROXY_RUNTIME: runtime },
      stdio: ["ignore", "pipe", "pipe"],
    });
    const proxy = {
      child,
      url: `http://127.0.0.1:${port}`,
      admin: `http://127.0.0.1:${admin}`,
      said: "",
    };
    child.stderr.on("data", (text) => {
      proxy.said = `${proxy.said}${text}`.slice(-20_000);
    });
    child.stdout.resume();
    this.#running.add(child);
    child.on("exit", () => this.#running.delete(child));
    for (let i = 0; i < 200; i += 1) {
      if (child.exitCode !== null) throw new Error(`the proxy does not start: ${proxy.said}`);
      const response = await fetch(`${proxy.url}/v1/models`).catch(() => undefined);
      await response?.arrayBuffer();
      if (response?.ok) return proxy;
      await sleep(100);
    }
    throw new Error(`the proxy serves no models: ${proxy.said}`);
  }

  /** @param signal for a group of processes, if the child leads one */
  async end(child, signal = "SIGTERM") {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, "exit");
    kill(child, signal);
    const late = setTimeout(() => kill(child, "SIGKILL"), 20_000);
    await ended;
    clearTimeout(late);
    // What it had started may outlive it.
    kill(child, "SIGKILL");
  }

  async endAll() {
    await Promise.all([...this.#running].map((child) => this.end(child)));
  }

  async #up({ child, url, log, name }) {
    const until = Date.now() + startTimeoutMs;
    while (Date.now() < until) {
      if (child.exitCode !== null || child.signalCode !== null) {
        const said = readFileSync(log, "utf8").trim().split("\n").slice(-15).join("\n    ");
        throw new Error(`${name} does not start:\n    ${said}`);
      }
      const response = await fetch(`${url}/v1/models`).catch(() => undefined);
      await response?.arrayBuffer();
      if (response?.ok) return;
      await sleep(500);
    }
    throw new Error(`${name} has not started within ${startTimeoutMs / 60_000} minutes`);
  }
}

function kill(child, signal) {
  for (const target of [-child.pid, child.pid]) {
    try {
      process.kill(target, signal);
      return;
    } catch {
      // It leads no group, or is gone.
    }
  }
}
