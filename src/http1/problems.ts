// The closed list of faults that an HTTP/1.1 message can have, as frozen values: a rejection allocates nothing.

/**
 * What is wrong with a message. `status` is the response to a client whose request has the fault; the same fault in an
 * engine's response is a 502. In either case the connection's framing is lost and it must be closed.
 */
export type HttpProblem = {
  readonly status: number;
  readonly code: string;
  readonly detail: string;
};

const problem = (status: number, code: string, detail: string): HttpProblem =>
  Object.freeze({ status, code, detail });

export const PROBLEMS = Object.freeze({
  badRequestLine: problem(
    400,
    "GP_BAD_REQUEST_LINE",
    "request line is not: method, one space, target, one space, HTTP/1.1",
  ),
  badTarget: problem(400, "GP_BAD_TARGET", "request target is not one that this method allows"),
  badTargetCharacter: problem(
    400,
    "GP_BAD_TARGET",
    "request target holds a character that has to be percent-encoded",
  ),
  targetTooLong: problem(414, "GP_TARGET_TOO_LONG", "request target is too long"),
  badVersion: problem(505, "GP_BAD_VERSION", "only HTTP/1.1 and HTTP/1.0 are spoken here"),
  unknownMethod: problem(501, "GP_METHOD_NOT_IMPLEMENTED", "method is not implemented"),
  badStatusLine: problem(
    400,
    "GP_BAD_STATUS_LINE",
    "status line is not: HTTP/1.1, one space, three digits, one space, reason",
  ),

  headTooLarge: problem(431, "GP_HEAD_TOO_LARGE", "message head is too large"),
  tooManyFields: problem(431, "GP_TOO_MANY_FIELDS", "message head has too many field lines"),
  unfinishedHead: problem(400, "GP_BAD_HEAD", "message head does not end with an empty line"),
  bareLineFeed: problem(400, "GP_BARE_LF", "line ends with LF alone instead of CRLF"),
  bareCarriageReturn: problem(400, "GP_BARE_CR", "CR is not followed by LF"),
  foldedLine: problem(400, "GP_OBS_FOLD", "field line begins with white space"),
  badFieldName: problem(400, "GP_BAD_FIELD_NAME", "field name is empty or not a token"),
  spaceBeforeColon: problem(400, "GP_BAD_FIELD_NAME", "white space before a field's colon"),
  missingColon: problem(400, "GP_BAD_FIELD_NAME", "field line has no colon"),
  badFieldValue: problem(400, "GP_BAD_FIELD_VALUE", "field value holds a control character"),

  missingHost: problem(400, "GP_BAD_HOST", "HTTP/1.1 request has no Host"),
  severalHosts: problem(400, "GP_BAD_HOST", "request has several Host lines"),
  badHost: problem(400, "GP_BAD_HOST", "Host is not a host name with an optional port"),
  severalAuthorizations: problem(
    400,
    "GP_DUPLICATE_AUTHORIZATION",
    "request has several Authorization lines",
  ),
  badExpect: problem(417, "GP_BAD_EXPECT", "only the expectation 100-continue is met"),
  badConnection: problem(400, "GP_BAD_CONNECTION", "Connection is not a short list of tokens"),

  lengthAndCoding: problem(
    400,
    "GP_LENGTH_AND_CODING",
    "message has both Content-Length and Transfer-Encoding",
  ),
  severalLengths: problem(
    400,
    "GP_BAD_CONTENT_LENGTH",
    "message has several Content-Length values",
  ),
  badLength: problem(400, "GP_BAD_CONTENT_LENGTH", "Content-Length is not a plain number"),
  severalCodings: problem(
    400,
    "GP_BAD_TRANSFER_ENCODING",
    "message has several Transfer-Encoding lines",
  ),
  badCoding: problem(400, "GP_BAD_TRANSFER_ENCODING", "Transfer-Encoding is not: chunked"),
  unknownCoding: problem(
    501,
    "GP_TRANSFER_ENCODING_NOT_IMPLEMENTED",
    "no transfer coding but chunked is implemented",
  ),
  codingOnOldVersion: problem(
    400,
    "GP_BAD_TRANSFER_ENCODING",
    "Transfer-Encoding in an HTTP/1.0 message",
  ),
  bodyNotAllowed: problem(
    400,
    "GP_BODY_NOT_ALLOWED",
    "response announces a body that its status forbids",
  ),

  badChunkSize: problem(400, "GP_BAD_CHUNK_SIZE", "chunk size is not a bounded hexadecimal number"),
  badChunkExtension: problem(400, "GP_BAD_CHUNK_EXTENSION", "chunk extension is malformed"),
  chunkExtensionTooLong: problem(400, "GP_BAD_CHUNK_EXTENSION", "chunk extension is too long"),
  badChunkEnd: problem(400, "GP_BAD_CHUNK_END", "chunk or chunk line does not end with CRLF"),
  badTrailer: problem(400, "GP_BAD_TRAILER", "trailer line is malformed"),
  trailerTooLarge: problem(431, "GP_TRAILER_TOO_LARGE", "trailer section is too large"),
});
