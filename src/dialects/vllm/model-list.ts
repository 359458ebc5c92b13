/**
 * How long a prompt and its response may be together at an engine, as its list of models says. Adapters in the list
 * have no length of their own. Source: vllm `entrypoints/openai/models/serving.py` (`show_available_models`).
 */

import { arrayElements } from "../../body/json/array.ts";
import type { FamilyProbe } from "../definition.ts";
import { memberBytes, textMembers } from "../shared/json-texts.ts";

export const modelList: FamilyProbe = {
  legs: ["decode"],
  path: "/v1/models",
  isOptional: true,
  discovered: (response) => {
    const most = longestContext(response);
    return most === 0 ? {} : { max_model_len: `${most}` };
  },
};

/** Of several models the longest: whatever it does not take, none takes. 0 = one does not say its length. */
function longestContext(response: Buffer): number {
  const list = memberBytes(response, "data");
  const models = (list && arrayElements(list, 0, list.length)) ?? [];
  let most = 0;
  for (const { start, end } of models) {
    const model = list!.subarray(start, end);
    const { max_model_len: length, parent } = textMembers(model, ["max_model_len", "parent"]);
    const tokens = Number(length);
    if (Number.isSafeInteger(tokens) && tokens > 0) most = Math.max(most, tokens);
    else if (parent === undefined) return 0;
  }
  return most;
}
