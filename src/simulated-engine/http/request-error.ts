/** How an engine rejects a request: vLLM's error body, in OpenAI's shape. */

export class RequestError extends Error {
  readonly status: number;
  readonly type: string;
  readonly param: string | null;

  constructor(status: number, type: string, message: string, param: string | null = null) {
    super(message);
    this.name = "RequestError";
    this.status = status;
    this.type = type;
    this.param = param;
  }

  /** The JSON body of the response. */
  body(): string {
    const { message, type, param, status } = this;
    return JSON.stringify({ error: { message, type, param, code: status } });
  }
}

export function badRequest(message: string, param: string | null = null): RequestError {
  return new RequestError(400, "BadRequestError", message, param);
}

export function noSuchModel(model: string): RequestError {
  return new RequestError(404, "NotFoundError", `The model \`${model}\` does not exist.`, "model");
}
