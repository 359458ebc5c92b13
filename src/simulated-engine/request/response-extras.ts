/** What a KV transfer adds to the response of the leg that offers KV. */

/** For a response that is not streamed; all values are JSON. */
export interface ResponseExtras {
  readonly top?: Readonly<Record<string, string>>;
  /** For each choice. */
  readonly choice?: Readonly<Record<string, string>>;
  /** Names and values in turn. */
  readonly headers?: readonly string[];
  /** The client had ended its connection before the response: nobody will fetch the KV that it names. */
  readonly undelivered?: () => void;
}
