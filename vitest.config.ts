import { configDefaults, defineConfig } from "vitest/config";

/** Each takes up to a minute of both cores: `npm test` runs some, `npm run test:dialects` all of them. */
const longSuites = [
  "cache-threshold",
  "epd",
  "moriio",
  "shared-storage",
  "trtllm",
  "trtllm-ends",
  "vllm-ascend",
  "vllm-ascend-layerwise",
  "vllm-mooncake",
  "vllm-p2p-nccl",
];
const isShort = process.env["GLOBAL_PROXY_TESTS"] !== "all";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    exclude: [
      ...configDefaults.exclude,
      ...(isShort ? longSuites.map((name) => `test/e2e/dialects/${name}.test.ts`) : []),
    ],
    testTimeout: 30_000,
    hookTimeout: 30_000,
    // Two cores: more workers than that only make socket tests slower and timings noisier.
    maxWorkers: 2,
  },
});
