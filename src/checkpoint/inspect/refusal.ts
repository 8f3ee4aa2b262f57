import { CheckpointError } from "../errors.ts";

/** The message with which something is refused. */
export function refusal(run: () => void): string | undefined {
  try {
    run();
    return undefined;
  } catch (error) {
    if (error instanceof CheckpointError) return error.message;
    throw error;
  }
}

/** What a call gives, or undefined where it is refused. */
export function accepted<T>(run: () => T): T | undefined {
  let result: T | undefined;
  refusal(() => {
    result = run();
  });
  return result;
}
