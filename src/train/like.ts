import { constant, Parameters } from "../nn/mod.ts";
import { Random } from "../tensor/mod.ts";

/** Zeros under the names, shapes and layouts of a set of parameters: what an optimizer keeps of each. */
export function zerosLike(parameters: Parameters): Parameters {
  const zeros = new Parameters(parameters.gpu);
  for (const { name, shape, layout } of parameters) {
    zeros.declare(name, shape, { layout, initialize: constant(0) });
  }
  zeros.initialize(new Random(0));
  return zeros;
}
