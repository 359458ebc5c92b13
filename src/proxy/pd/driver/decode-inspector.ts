/** Shows the dialect what has come of decode's response until the dialect knows whether it is the client's. */
import type { DecodeInspection, KvTransfer } from "../../../dialects/dialect.ts";
import { CollectedBody } from "../../response/body/collected-body.ts";
import type { FramedBody } from "../../response/body/framed-body.ts";

export class DecodeInspector {
  /** Undefined = nothing is inspected. */
  #body: CollectedBody | undefined;

  get isInspecting(): boolean {
    return this.#body !== undefined;
  }

  start(): void {
    this.#body = new CollectedBody();
  }

  stop(): void {
    this.#body = undefined;
  }

  /** False if the response is larger than what may be inspected. */
  add(source: FramedBody, chunk: Buffer, start: number, end: number): boolean {
    return this.#body!.add(source, chunk, start, end);
  }

  /** What the dialect says. It is not asked again unless it says `incomplete` of a response that is not complete. */
  inspect(transfer: KvTransfer, isComplete: boolean): DecodeInspection {
    const inspection = transfer.inspectDecode!(this.#body!.bytes, isComplete);
    if (inspection !== "incomplete" || isComplete) this.#body = undefined;
    return inspection;
  }
}
