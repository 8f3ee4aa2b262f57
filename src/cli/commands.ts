/** The program's commands, in the order in which the help lists them. */
import type { Command } from "./command.ts";
import { doctor } from "./doctor.ts";

/** Every command. A new one is a file of its own and a line here. */
export const commands: readonly Command[] = [doctor];
