/** An SLO, and its text form: `ttft=5x+1000,tpot=60,share=0.9`. Parts that are left out have their defaults. */

/**
 * TTFT at most `ttftFactor` × that of the same request on an empty, cold fleet + `ttftExtraMs`; and a bound of TPOT.
 */
export interface Slo {
  readonly ttftFactor: number;
  readonly ttftExtraMs: number;
  readonly tpotMs: number;
  /** Share of all requests that have to meet it. */
  readonly share: number;
}

export const defaultSlo: Slo = { ttftFactor: 5, ttftExtraMs: 1_000, tpotMs: 60, share: 0.9 };

const number = /^\d+(?:\.\d+)?$/;
const ttft = /^(?:(\d+(?:\.\d+)?)x)?(?:\+?(\d+(?:\.\d+)?))?$/;

/** Throws an Error that names the wrong part. */
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
        throw new Error(`ttft is ms (2000), or a factor and ms (5x+1000), not "${value}"`);
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
      throw new Error(`an SLO consists of ttft, tpot and share, not "${name}"`);
  }
}

export function sloText({ ttftFactor, ttftExtraMs, tpotMs, share }: Slo): string {
  const factor =
    ttftFactor === 0 ? "" : `${ttftFactor} × the request's own on an empty, cold fleet + `;
  return `TTFT within ${factor}${ttftExtraMs} ms and TPOT within ${tpotMs} ms, of ${share * 100} % of requests`;
}
