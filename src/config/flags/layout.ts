/** Which engines the flags name: prefill and decode engines, or engines that serve whole requests. */
import { dialectOf, wholeRequestDialect } from "../../dialects/registry.ts";
import { routeDialects } from "../schema/dialects.ts";
import type { ConfigInput } from "../schema/schema.ts";
import type { Flags } from "./flags.ts";
import { type Fail, oneOf } from "./values.ts";

type Dialect = NonNullable<ConfigInput["servers"][number]["routes"][number]["dialect"]>;

export interface Layout {
  /** Prefill and decode run on different engines. */
  readonly splits: boolean;
  readonly encodes: boolean;
  /** The flag that names the engines of the pool `decode`: all engines, if prefill and decode are not split. */
  readonly decodeFlag: "decode" | "engine";
  /** Undefined = none was named, and the default is assumed. */
  readonly dialect: Dialect | undefined;
}

export function readLayout(flags: Flags, fail: Fail): Layout {
  const hasWhole = (flags.engine ?? []).length > 0;
  const dialect = oneOf("--dialect", flags.dialect, routeDialects, fail);
  const saysWhole = dialect !== undefined && dialectOf(dialect)?.servesWhole === true;
  // `--decode` alone is one pool as well, unless a dialect that transfers KV caches is asked for.
  const hasDecodeOnly = flags.prefill.length === 0 && flags.decode.length > 0 && !hasWhole;
  const splits = !(hasWhole || saysWhole || (hasDecodeOnly && flags.dialect === undefined));
  if (hasWhole && flags.prefill.length + flags.decode.length > 0) {
    fail("--engine cannot be combined with --prefill and --decode");
  }
  if (hasWhole && dialect !== undefined && !saysWhole) {
    const hint = "name engines with --prefill and --decode";
    fail(`--dialect ${dialect} cannot be combined with --engine`, hint);
  }
  if (saysWhole && flags.prefill.length > 0) {
    fail(`--dialect ${dialect} cannot be combined with --prefill`, "use --engine");
  }
  return {
    splits,
    encodes: (flags.encode ?? []).length > 0,
    decodeFlag: splits || hasDecodeOnly ? "decode" : "engine",
    dialect: dialect ?? (splits ? undefined : wholeRequestDialect),
  };
}
