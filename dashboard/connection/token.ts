/** The token of the admin listener: kept for as long as the tab is open, and nowhere else. */

const key = "global-proxy-admin-token";

export function authorization(): Record<string, string> {
  const token = sessionStorage.getItem(key);
  return token === null ? {} : { authorization: `Bearer ${token}` };
}

export function setToken(token: string): void {
  sessionStorage.setItem(key, token);
}
