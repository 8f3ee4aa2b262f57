import { modelId } from "../checkpoint/mod.ts";
import { type Parameters, weightsOf } from "../nn/mod.ts";

/** The id of the model that these parameters make up; one after the other is read. */
export async function weightsId(...parts: readonly Parameters[]): Promise<string> {
  return await modelId((async function* () {
    for (const part of parts) {
      for (const parameter of part) yield await weightsOf(parameter);
    }
  })());
}
