/** An SLO as one writes it: `ttft=5x+1000,tpot=60,share=0.9`. What is left out is as by default. */
import { defaultSlo, type Slo } from "./figures.ts";

const number = /^\d+(?:\.\d+)?$/;
const ttft = /^(?:(\d+(?:\.\d+)?)x)?(?:\+?(\d+(?:\.\d+)?))?$/;

/** Throws an Error that says what is wrong. */
export function parseSlo(text: string): Slo {
  let slo = defaultSlo;
  for (const part of text.split(",")) {
    const [name = "", value = ""] = part.split("=");
    slo = { ...slo, ...member(name.trim(), value.trim()) };
  }
  return slo;
}

function member(name: string, value: string): Partial<Slo> {
  switch (name) {
    case "ttft": {
      const [, factor, extraMs] = ttft.exec(value) ?? [];
      if (factor === undefined && extraMs === undefined) {
        throw new Error(
          `ttft is ms (2000), or times a request's own and ms (5x+1000), not "${value}"`,
        );
      }
      return { ttftFactor: Number(factor ?? 0), ttftExtraMs: Number(extraMs ?? 0) };
    }
    case "tpot":
      if (!number.test(value) || Number(value) === 0) throw new Error(`tpot is ms, not "${value}"`);
      return { tpotMs: Number(value) };
    case "share":
      if (!number.test(value) || Number(value) === 0 || Number(value) > 1) {
        throw new Error(`share is above 0 and at most 1, not "${value}"`);
      }
      return { share: Number(value) };
    default:
      throw new Error(`an SLO has ttft, tpot and share, not "${name}"`);
  }
}

export function sloText({ ttftFactor, ttftExtraMs, tpotMs, share }: Slo): string {
  const factor =
    ttftFactor === 0 ? "" : `${ttftFactor} × the request's own on an empty, cold fleet + `;
  return `TTFT within ${factor}${ttftExtraMs} ms and TPOT within ${tpotMs} ms, of ${share * 100} % of requests`;
}
