/**
 * The attempt under way, a prefill and its decode: its KV transfer, the call-back that the decode engine may use, and
 * the requests that its legs send.
 */
import type { DialectRequest, KvTransfer } from "../../../dialects/dialect.ts";
import { renamedForm } from "../../context/engine-model.ts";
import type { ResponseMerger } from "../../response/response-merger.ts";
import type { Route } from "../../routing/route.ts";
import type { EngineConnection } from "../../upstream/connection/engine-connection.ts";
import type { Leg } from "../../upstream/leg.ts";
import { legBody } from "../../upstream/leg-body.ts";
import { sendLegMessage } from "../../upstream/leg-message.ts";
import type { AttemptCallback, CalledBack } from "../callbacks.ts";
import { enginesOf, noEngines, rankLine } from "../legs/leg-engines.ts";
import type { ExchangeRequest } from "./exchange-services.ts";

function upgradeLines(upgrade: string): string {
  return upgrade === "" ? "" : `Upgrade: ${upgrade}\r\nConnection: upgrade\r\n`;
}

export class Attempt {
  /** As the client sent it, or for the rest of a response whose decode engine has preempted it. */
  dialectRequest: DialectRequest | undefined;
  /** Undefined = the request goes to one engine alone. */
  transfer: KvTransfer | undefined;
  #callback: AttemptCallback | undefined;
  readonly #request: ExchangeRequest;
  readonly #route: Route;
  readonly #merger: ResponseMerger;

  constructor(
    request: ExchangeRequest,
    route: Route,
    dialectRequest: DialectRequest | undefined,
    merger: ResponseMerger,
  ) {
    this.#request = request;
    this.#route = route;
    this.dialectRequest = dialectRequest;
    this.#merger = merger;
  }

  /** Begins the first attempt, or another one: nothing of the one before is used again. */
  open(isAlone: boolean, owner: CalledBack): void {
    const { dialectRequest } = this;
    const isSplit = !isAlone && dialectRequest !== undefined;
    this.transfer = isSplit ? this.#route.dialect.beginTransfer(dialectRequest) : undefined;
    this.#callback?.end();
    this.#callback =
      this.transfer?.callbackUrl && this.#request.worker.callbacks.open(this.transfer, owner);
  }

  respondToCallback(ok: boolean): void {
    this.#callback?.response(ok);
  }

  end(): void {
    this.#callback?.end();
  }

  /**
   * Writes the request of one leg to its connection.
   * @param headers the route whose header lines the leg gets
   */
  write(
    leg: Leg,
    connection: EngineConnection,
    { prefill, decode }: { readonly prefill: Leg | undefined; readonly decode: Leg },
    headers: Route,
  ): void {
    const route = this.#route;
    const { context, worker } = this.#request;
    const { transfer } = this;
    const engines = transfer && enginesOf(prefill, decode);
    const transferId = engines && transfer!.requestId?.(engines);
    if (transferId !== undefined) this.#merger.useIds(transferId, this.#clientsId);
    if (engines !== undefined && leg === decode) this.#callback?.tell(engines.decode);
    const members = this.dialectRequest?.members;
    const name = leg === prefill ? "prefill" : "decode";
    const edits =
      members && legBody(this.#request, members, route, transfer, leg, engines ?? noEngines);
    if (edits !== undefined && leg === decode) this.#merger.edit(members!, edits);
    const message = {
      context,
      headers,
      timeouts: name === "prefill" ? route.prefillTimeouts : route.config,
      edits: edits ?? renamedForm(context),
      isRead: leg === prefill || transfer?.inspectDecode !== undefined || this.#merger.isRead,
      requestId: transferId ?? context.requestId,
      isTransferId: transferId !== undefined,
      lines:
        upgradeLines(context.upgrade) +
        rankLine(leg) +
        ((engines && transfer!.headerLines?.(name, engines)) ?? ""),
    };
    sendLegMessage(leg, connection, message, worker.scratch);
    edits?.clear();
  }

  /** The request id that a single engine would put into its response. */
  get #clientsId(): string {
    const { context, worker } = this.#request;
    return context.requestId || context.head.fields.get("x-request-id") || worker.ids.uuid();
  }
}
