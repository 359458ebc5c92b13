/** The model of a request, once its route has found it: the name that engines know, and which engines have it. */
import { type OutgoingBody, Pieces } from "../../body/edit/pieces.ts";
import { Edits } from "../../body/edit/splice.ts";
import type { FormField } from "../../body/form/form-field.ts";
import { KeyName } from "../../body/json/key-name.ts";
import type { TopLevel } from "../../body/json/top-level.ts";
import type { Pool } from "../../pool/pool.ts";
import type { ModelHolders } from "../../pool/served-models.ts";

/** A name in place of the one that clients write. */
export interface EngineModel {
  readonly name: string;
  readonly json: Buffer;
}

/** What a request says of its model. */
interface NamedModel {
  readonly model: string;
  readonly engineModel: EngineModel | undefined;
}

interface NamedBody extends NamedModel {
  readonly body: Buffer;
  readonly members: TopLevel | undefined;
}

export const modelKey: KeyName = new KeyName("model");

export function engineModelOf(name: string): EngineModel {
  return { name, json: Buffer.from(JSON.stringify(name)) };
}

/** As engines call it; "" = the route has one model, or the request names none. */
export function engineModelName({ model, engineModel }: NamedModel): string {
  return engineModel?.name ?? model;
}

/** The engines of the pool that serve it; undefined = any may. */
export function holdersIn(pool: Pool, named: NamedModel): ModelHolders | undefined {
  return named.model === "" ? undefined : pool.models.holders(engineModelName(named));
}

/** Writes the engines' name into the body, if it is another one. */
export function renameModel(
  members: TopLevel,
  edits: Edits,
  engineModel: EngineModel | undefined,
): void {
  if (engineModel === undefined) return;
  const at = members.lastIndexOf(modelKey);
  if (at >= 0) edits.replaceValue(at, engineModel.json);
}

/** A form with that name; undefined = it goes as it came. */
export function renamedForm({
  body,
  modelField,
  engineModel,
}: Pick<NamedBody, "body" | "engineModel"> & {
  readonly modelField: FormField | undefined;
}): OutgoingBody | undefined {
  if (modelField === undefined || engineModel === undefined) return undefined;
  const renamed = new Pieces();
  renamed.add(body.subarray(0, modelField.start));
  renamed.add(Buffer.from(engineModel.name));
  renamed.add(body.subarray(modelField.end));
  return renamed;
}

/** The whole body with that name. The same buffer if it is the client's. */
export function bodyForEngines({ body, members, engineModel }: NamedBody): Buffer {
  if (engineModel === undefined || members === undefined) return body;
  const edits = new Edits();
  edits.start(members);
  renameModel(members, edits, engineModel);
  const renamed = Buffer.allocUnsafe(edits.byteLength);
  edits.writeTo(renamed, 0);
  return renamed;
}
