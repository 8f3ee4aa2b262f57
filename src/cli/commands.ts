/** The program's commands, in the order in which the help lists them. */
import { adapt } from "./adapt.ts";
import type { Command } from "./command.ts";
import { convert } from "./convert.ts";
import { decode } from "./decode.ts";
import { demo } from "./demo.ts";
import { doctor } from "./doctor.ts";
import { encode } from "./encode.ts";
import { evaluation } from "./eval.ts";
import { inspect } from "./inspect.ts";
import { pull } from "./pull.ts";
import { trainVae, trainVqgan } from "./train.ts";
import { verify } from "./verify.ts";

/** Every command. A new one is a file of its own and a line here. */
export const commands: readonly Command[] = [
  encode,
  decode,
  evaluation,
  verify,
  adapt,
  trainVae,
  trainVqgan,
  inspect,
  convert,
  pull,
  demo,
  doctor,
];
