/** SGLang: what its engines show of themselves, and what is asked of them while they serve. */

import type { EngineFamily } from "../definition.ts";
import type { EngineProbe } from "../dialect.ts";
import { bootstrapServer } from "../shared/bootstrap-server.ts";
import { textMembers } from "../shared/json-texts.ts";

export const sglangFamily: EngineFamily = { name: "sglang", title: "SGLang", owners: ["sglang"] };

/**
 * The bootstrap server of a prefill engine: 503 until all ranks are registered, then the number of data-parallel ranks.
 * Source: sglang, disaggregation/common/conn.py.
 */
export const sglangRoute: EngineProbe = {
  legs: ["prefill"],
  path: "/route?prefill_dp_rank=-1&prefill_cp_rank=-1&target_tp_rank=-1&target_pp_rank=-1",
  port: bootstrapServer,
  discovered: (response) => textMembers(response, ["dp_size"]),
};

/** The engine itself: the port of its bootstrap server. */
export const sglangServerInfo: EngineProbe = {
  legs: ["prefill"],
  path: "/server_info",
  discovered: (response) => {
    const { disaggregation_bootstrap_port: port } = textMembers(response, [
      "disaggregation_bootstrap_port",
    ]);
    return port === undefined ? {} : { bootstrap_port: port };
  },
};
