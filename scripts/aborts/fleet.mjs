/** A proxy before one simulated prefill and one decode engine, with a wire between it and each of them. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { freePorts } from "../support/ports.mjs";
import { Wire } from "./wire.mjs";

/** What an engine of a dialect is told, and what the proxy is told of it. */
const settings = {
  "vllm-mooncake": { prefill: "bootstrap_port=SIDE" },
  "vllm-mooncake-v0": { engine: "vllm-mooncake:generation=older", prefill: "bootstrap_port=SIDE" },
  "vllm-p2p-nccl": { prefill: "kv_port=SIDE", decode: "kv_port=SIDE" },
  "moriio-read": {
    prefill: "notify_port=SIDE&tp_size=1&dp_size=1",
    decode: "notify_port=SIDE&tp_size=1&dp_size=1",
  },
  "moriio-write": {
    prefill: "notify_port=SIDE&tp_size=1&dp_size=1",
    decode: "notify_port=SIDE&tp_size=1&dp_size=1",
  },
  sglang: { prefill: "bootstrap_port=SIDE" },
  "trtllm-gen-first": { engine: "trtllm", prefill: "ctx_info_endpoint=tcp://127.0.0.1:SIDE" },
  "shared-storage": { engine: "shared-storage:path=FOLDER" },
  "cache-threshold": { engine: "cache-threshold:path=FOLDER" },
};

export const dialects = [
  "omni",
  "vllm-nixl",
  "vllm-ascend",
  "vllm-ascend-layerwise",
  "vllm-mooncake",
  "vllm-mooncake-v0",
  "vllm-p2p-nccl",
  "moriio-read",
  "moriio-write",
  "shared-storage",
  "cache-threshold",
  "sglang",
  "trtllm",
  "trtllm-gen-first",
];

export class Fleet {
  port = 0;
  prefill = new Wire(0);
  decode = new Wire(0);
  #children = [];
  #errors = [];
  #enginePorts = {};
  #adminPort = 0;

  /** @param speed switches of the engines */
  static async start({ dialect, runtime, folder, speed }) {
    const fleet = new Fleet();
    const { engine = dialect } = settings[dialect] ?? {};
    const urls = {};
    for (const role of ["prefill", "decode"]) {
      const [port, side] = await freePorts(2);
      fleet.#enginePorts[role] = port;
      const named = engine.replace("FOLDER", folder);
      // No lease ends by itself: what is held afterwards is held for good.
      const leases = ["--kv-lease-ms", "3600000"];
      const where = ["--port", `${port}`, "--kv-port", `${side}`];
      fleet.#spawn(
        ["engine", "--role", role, "--dialect", named, ...where, ...leases, ...speed],
        "bun",
      );
      await fleet.#up(`http://127.0.0.1:${port}/health`);
      fleet[role] = new Wire(port);
      const attributes = (settings[dialect]?.[role] ?? "").replace("SIDE", side);
      const address = `http://127.0.0.1:${await fleet[role].listen()}`;
      urls[role] = attributes === "" ? address : `${address}?${attributes}`;
    }
    [fleet.port, fleet.#adminPort] = await freePorts(2);
    const listen = ["--listen", `127.0.0.1:${fleet.port}`];
    const admin = ["--admin", `127.0.0.1:${fleet.#adminPort}`];
    const legs = ["--prefill", urls.prefill, "--decode", urls.decode];
    fleet.#spawn(["--dialect", dialect, ...legs, ...listen, ...admin], runtime);
    await fleet.#up(`http://127.0.0.1:${fleet.#adminPort}/admin/health`);
    await fleet.#up(`http://127.0.0.1:${fleet.port}/health`);
    return fleet;
  }

  async states() {
    const [prefill, decode, kv] = await Promise.all([
      getJson(`http://127.0.0.1:${this.#enginePorts.prefill}/debug/state`),
      getJson(`http://127.0.0.1:${this.#enginePorts.decode}/debug/state`),
      getJson(`http://127.0.0.1:${this.#adminPort}/admin/kv`),
    ]);
    return { prefill, decode, kv: kv.pools.find(({ pool }) => pool === "prefill") };
  }

  /** Frees what is held, so that the next phase begins with nothing. */
  async endLeases() {
    for (const port of Object.values(this.#enginePorts))
      await fetch(`http://127.0.0.1:${port}/debug/leases`, { method: "DELETE" });
  }

  async stop() {
    this.prefill.close();
    this.decode.close();
    for (const child of this.#children) {
      if (child.exitCode !== null || child.signalCode !== null) continue;
      const ended = once(child, "exit");
      child.kill("SIGKILL");
      await ended;
    }
  }

  #spawn(args, runtime) {
    const env = { ...process.env, GLOBAL_PROXY_RUNTIME: runtime, NO_COLOR: "1" };
    const child = spawn("bin/global-proxy", args, { env, stdio: ["ignore", "ignore", "pipe"] });
    child.stderr.on("data", (text) => this.#errors.push(String(text)));
    this.#children.push(child);
  }

  async #up(url) {
    for (let i = 0; i < 300; i += 1) {
      const response = await fetch(url).catch(() => undefined);
      await response?.body?.cancel();
      if (response?.ok) return;
      await sleep(200);
    }
    throw new Error(`${url} does not come up: ${this.#errors.slice(-5).join("")}`);
  }
}

async function getJson(url) {
  return (await fetch(url)).json();
}
