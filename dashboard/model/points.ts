/** The numbers of a point by their names, and the columns of many points, as charts want them. */
import {
  type Point,
  type PointField,
  pointFields,
} from "../../src/control/admin/dashboard/messages.ts";

const indexes = new Map<PointField, number>(pointFields.map((field, index) => [field, index]));

export function pointAt(point: Point | undefined, field: PointField): number | null {
  return point?.[indexes.get(field)!] ?? null;
}

/** Seconds first, as charts want them, then each field. */
export function columnsOf(
  points: readonly Point[],
  fields: readonly PointField[],
): (number | null)[][] {
  return [
    points.map((point) => point[0]! / 1_000),
    ...fields.map((field) => points.map((point) => pointAt(point, field))),
  ];
}
