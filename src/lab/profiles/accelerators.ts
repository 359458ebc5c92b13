/**
 * Accelerators as their makers, or those who measured them, publish them. Peaks: what is reached of them is in
 * `derive.ts`.
 */

export interface Accelerator {
  readonly name: string;
  /** Dense BF16 or FP16, without sparsity. */
  readonly flopPerSecond: number;
  readonly memoryBytes: number;
  readonly memoryBytesPerSecond: number;
  /** Of its share of the machine's network cards, in one direction. */
  readonly networkBytesPerSecond: number;
  readonly source: string;
}

export const accelerators = {
  a100: {
    name: "A100 SXM 80 GB",
    flopPerSecond: 312e12,
    memoryBytes: 80e9,
    memoryBytesPerSecond: 2.039e12,
    networkBytesPerSecond: 25e9,
    source: "NVIDIA A100 data sheet (1758950-r4); DGX A100: 200 Gbit/s for each",
  },
  h100: {
    name: "H100 SXM",
    flopPerSecond: 989.4e12,
    memoryBytes: 80e9,
    memoryBytesPerSecond: 3.35e12,
    networkBytesPerSecond: 50e9,
    source: "NVIDIA H100 white paper and data sheet; DGX H100: 400 Gbit/s for each",
  },
  h200: {
    name: "H200 SXM",
    flopPerSecond: 989.4e12,
    memoryBytes: 141e9,
    memoryBytesPerSecond: 4.8e12,
    networkBytesPerSecond: 50e9,
    source: "NVIDIA H200 data sheet; DGX H200: 400 Gbit/s for each",
  },
  // There is no public data sheet, and there are variants of 280 to 400 TFLOP/s.
  "910b": {
    name: "Ascend 910B",
    flopPerSecond: 320e12,
    memoryBytes: 64e9,
    memoryBytesPerSecond: 1.6e12,
    networkBytesPerSecond: 25e9,
    source:
      "press: 320 TFLOP/s FP16 and 64 GB; memory as half of a 910C's 3,200 GB/s; 200 Gbit/s RoCE for each",
  },
} as const satisfies Readonly<Record<string, Accelerator>>;

export type AcceleratorName = keyof typeof accelerators;
