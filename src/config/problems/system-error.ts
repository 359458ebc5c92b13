/** Names system errors as nginx does: `2: No such file or directory`. */

/** The errors that an operator meets; the number is Linux's. Others go by their code. */
const systemErrors: Readonly<Record<string, string>> = {
  EPERM: "1: Operation not permitted",
  ENOENT: "2: No such file or directory",
  ESRCH: "3: No such process",
  EIO: "5: Input/output error",
  EACCES: "13: Permission denied",
  EEXIST: "17: File exists",
  ENOTDIR: "20: Not a directory",
  EISDIR: "21: Is a directory",
  EINVAL: "22: Invalid argument",
  EMFILE: "24: Too many open files",
  ENOSPC: "28: No space left on device",
  EROFS: "30: Read-only file system",
  EPIPE: "32: Broken pipe",
  EADDRINUSE: "98: Address already in use",
  EADDRNOTAVAIL: "99: Cannot assign requested address",
  EAFNOSUPPORT: "97: Address family not supported by protocol",
};

export function describeSystemError(error: NodeJS.ErrnoException): string {
  return systemErrors[error.code ?? ""] ?? error.code ?? error.message;
}

/** `open() "/x/y.log" failed (2: No such file or directory)`. */
export function describeOpenError(file: string, error: NodeJS.ErrnoException): string {
  return `open() "${file}" failed (${describeSystemError(error)})`;
}
