/**
 * The official code's numbers: the folder of goldens is named by CODA_GOLDENS. Sizes are read from the
 * JSON beside the data, so another folder of the same schema works as it is.
 */
import { checkpoints } from "./conformance/checkpoints.ts";
import { criterion } from "./conformance/criterion.ts";
import { discriminator } from "./conformance/discriminator.ts";
import { lpips } from "./conformance/lpips.ts";
import { metrics } from "./conformance/metrics.ts";
import { operators } from "./conformance/operators.ts";
import { preprocess } from "./conformance/preprocess.ts";
import { pytorch } from "./conformance/pytorch.ts";
import { quantizer } from "./conformance/quantizer.ts";
import { training } from "./conformance/training.ts";
import { vae } from "./conformance/vae.ts";

const goldens = Deno.env.get("CODA_GOLDENS");
if (goldens) {
  checkpoints(goldens);
  criterion(goldens);
  discriminator(goldens);
  lpips(goldens);
  metrics(goldens);
  operators(goldens);
  preprocess(goldens);
  pytorch(goldens);
  quantizer(goldens);
  training(goldens);
  vae(goldens);
} else {
  Deno.test({
    name: "conformance was not run: CODA_GOLDENS names no folder of the official code's numbers",
    ignore: true,
    fn: () => {},
  });
}
