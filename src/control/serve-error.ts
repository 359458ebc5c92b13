/** Why a configuration cannot be served: thrown at start-up and by a reload. */

export class ServeError extends Error {
  /** The system's code, such as `EADDRINUSE`, or the proxy's own (`GP_…`). */
  readonly code: string;

  /** @param message as nginx words it, where nginx has such an error */
  constructor(message: string, code: string) {
    super(message);
    this.name = "ServeError";
    this.code = code;
  }
}
