/** Checkpoints from a hub, for `coda pull` and for every command that takes one. */
import {
  isHubReference,
  pullCheckpoint,
  type Pulled,
  type PullOptions,
} from "../../checkpoint/mod.ts";
import { CommandError } from "../errors.ts";
import { formatBytes } from "../format.ts";
import { stopOnInterrupt } from "../interrupt.ts";
import { Progress } from "../progress.ts";

/** Pulls a checkpoint and shows how far it has come; Ctrl-C keeps what is here for the next time. */
export async function pull(
  reference: string,
  { quiet, weights }: { quiet: boolean; weights?: PullOptions["weights"] },
): Promise<Pulled> {
  using stop = stopOnInterrupt();
  using progress = new Progress({ label: "pull", unit: "bytes", format: formatBytes, quiet });
  try {
    return await pullCheckpoint(reference, {
      weights,
      signal: stop.signal,
      onProgress: (done, total) => {
        progress.total = total;
        progress.update(done);
      },
      onOffline: (reason) =>
        progress.message(`coda: the hub is out of reach (${reason}); using what was pulled before`),
    });
  } catch (error) {
    if (!stop.signal.aborted) throw error;
    throw new CommandError("stopped; what has come is kept, and the next pull goes on from there");
  }
}

/** Shows the pull of a model that is on a hub, so that whatever loads it finds it here. */
export async function pullFirst(
  model: string | undefined,
  options: { quiet: boolean; weights?: PullOptions["weights"] },
): Promise<void> {
  if (model !== undefined && isHubReference(model)) await pull(model, options);
}
