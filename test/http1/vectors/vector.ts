// The shape of a request with its verdict, and short names for the verdicts.

export type AcceptedRequest = {
  readonly what: string;
  readonly text: string;
  /** Node does not take this method; nothing to compare. */
  readonly notInNode?: true;
};

export type RefusedRequest = {
  readonly hazard: string;
  readonly text: string;
  readonly status: number;
  readonly code: string;
  /** Set where Node accepts: why we do not. */
  readonly nodeAccepts?: string | undefined;
};

export const BAD_REQUEST_LINE = { status: 400, code: "GP_BAD_REQUEST_LINE" };
export const BAD_TARGET = { status: 400, code: "GP_BAD_TARGET" };
export const BAD_VERSION = { status: 505, code: "GP_BAD_VERSION" };
export const BAD_NAME = { status: 400, code: "GP_BAD_FIELD_NAME" };
export const BAD_VALUE = { status: 400, code: "GP_BAD_FIELD_VALUE" };
export const BARE_CR = { status: 400, code: "GP_BARE_CR" };
export const BARE_LF = { status: 400, code: "GP_BARE_LF" };
export const OBS_FOLD = { status: 400, code: "GP_OBS_FOLD" };
export const BAD_HOST = { status: 400, code: "GP_BAD_HOST" };
export const BAD_LENGTH = { status: 400, code: "GP_BAD_CONTENT_LENGTH" };
export const BAD_CODING = { status: 400, code: "GP_BAD_TRANSFER_ENCODING" };
export const BOTH = { status: 400, code: "GP_LENGTH_AND_CODING" };
export const NO_METHOD = { status: 501, code: "GP_METHOD_NOT_IMPLEMENTED" };
export const NO_CODING = { status: 501, code: "GP_TRANSFER_ENCODING_NOT_IMPLEMENTED" };
export const BAD_EXPECT = { status: 417, code: "GP_BAD_EXPECT" };
export const BAD_CONNECTION = { status: 400, code: "GP_BAD_CONNECTION" };
export const BAD_SIZE = { status: 400, code: "GP_BAD_CHUNK_SIZE" };
export const BAD_EXTENSION = { status: 400, code: "GP_BAD_CHUNK_EXTENSION" };
export const BAD_CHUNK_END = { status: 400, code: "GP_BAD_CHUNK_END" };
export const BAD_TRAILER = { status: 400, code: "GP_BAD_TRAILER" };
