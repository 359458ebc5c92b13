/** Addresses as nginx's `$binary_remote_addr`: short keys for tables. */
import { isIPv4, isIPv6 } from "node:net";

/** 4 or 16 characters, one for each byte; what is no address stays as it is. */
export function binaryAddress(address: string): string {
  if (isIPv4(address)) return String.fromCharCode(...address.split(".").map(Number));
  if (!isIPv6(address)) return address;
  const [left = "", right] = address.replace(/%.*/, "").split("::");
  const first = left === "" ? [] : left.split(":");
  const last = right === undefined || right === "" ? [] : right.split(":");
  const zeros = Array.from({ length: 8 - first.length - last.length }, () => "0");
  const groups = right === undefined ? first : [...first, ...zeros, ...last];
  return String.fromCharCode(
    ...groups.flatMap((group) => {
      const value = Number.parseInt(group, 16);
      return [value >> 8, value & 255];
    }),
  );
}
