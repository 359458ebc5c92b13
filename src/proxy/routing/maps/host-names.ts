/** What is known of hosts by names that may begin or end with a star, by nginx's precedence. */
export class HostNames<T> {
  readonly #exact = new Map<string, T>();
  /** The longest first, those that begin with a star before those that end with one. */
  readonly #wildcards: { readonly suffix: string; readonly prefix: string; readonly known: T }[] =
    [];

  /** @param name `a.example`, `*.example`, `.example` (both) or `www.*`; of a name given twice the first counts */
  add(name: string, known: T): void {
    if (name.startsWith("*.")) this.#addWildcard({ suffix: name.slice(1), prefix: "", known });
    else if (name.startsWith(".")) {
      this.#addExact(name.slice(1), known);
      this.#addWildcard({ suffix: name, prefix: "", known });
    } else if (name.endsWith(".*"))
      this.#addWildcard({ suffix: "", prefix: name.slice(0, -1), known });
    else this.#addExact(name, known);
  }

  /** @param name in lower case, without a final dot */
  find(name: string): T | undefined {
    const exact = this.#exact.get(name);
    if (exact !== undefined) return exact;
    for (const { suffix, prefix, known } of this.#wildcards) {
      if (suffix !== "" ? name.endsWith(suffix) : name.startsWith(prefix)) return known;
    }
    return undefined;
  }

  #addExact(name: string, known: T): void {
    if (!this.#exact.has(name)) this.#exact.set(name, known);
  }

  #addWildcard(wildcard: { suffix: string; prefix: string; known: T }): void {
    const length = ({ suffix, prefix }: { suffix: string; prefix: string }) =>
      suffix === "" ? prefix.length : 1000 + suffix.length;
    this.#wildcards.push(wildcard);
    this.#wildcards.sort((a, b) => length(b) - length(a));
  }
}
