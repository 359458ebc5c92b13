/** Header lines that say who responds, and when. */

export const serverLine = "Server: global-proxy\r\n";

let line = "";
let lineSecond = 0;

/** RFC 9110 asks for a date in every response. Composed once a second. @param wallMs now, since the epoch */
export function dateLine(wallMs: number): string {
  const second = Math.floor(wallMs / 1000);
  if (second !== lineSecond) {
    lineSecond = second;
    line = `Date: ${new Date(second * 1000).toUTCString()}\r\n`;
  }
  return line;
}
