/**
 * Lists of which most requests have one item. A push onto an empty list takes memory for 17 items on Node: so a list
 * begins with its first item, and all that have none share one.
 */
export const emptyList: readonly never[] = [];

/** @returns the list with the item: the same one, unless it was empty */
export function append<T>(list: readonly T[], item: T): readonly T[] {
  if (list.length === 0) return [item];
  (list as T[]).push(item);
  return list;
}
