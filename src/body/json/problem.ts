/** Why a body is not a JSON object that an engine could read: the client's fault, and a 400. */

/** Sentences for the client. They never quote the body. */
const details = {
  truncated: "The JSON body ends too early.",
  not_object: "The JSON body is not an object.",
  malformed: "The JSON body is malformed.",
  trailing_bytes: "The JSON object is followed by other bytes.",
  too_deep: "The JSON body is nested too deeply.",
  too_many_members: "The JSON object has too many members.",
} as const;

export type JsonProblemCode = keyof typeof details;

export interface JsonProblem {
  readonly code: JsonProblemCode;
  readonly detail: string;
  /** In bytes, from the start of the buffer. */
  readonly offset: number;
}

/**
 * Carries a problem from inside a token to `scanTopLevel`, which returns it. It is thrown, so that a valid body needs
 * no check after each token; it never leaves `src/body`.
 */
export class JsonFault extends Error {
  readonly problem: JsonProblem;

  constructor(code: JsonProblemCode, offset: number) {
    super(details[code]);
    this.problem = { code, detail: details[code], offset };
  }
}
