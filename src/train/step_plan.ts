import { OutOfMemoryError } from "../gpu/mod.ts";
import { bytesInWords } from "../vae/memory_plan.ts";

/** How the images of a joint step are gone through. */
export interface StepWay {
  /** Images that are gone through at once. */
  readonly batch: number;
  /** How many such batches make a step. */
  readonly accumulate: number;
  /** Whether activations are computed again instead of kept; see {@link AutoencoderKL.checkpointing}. */
  readonly checkpointing: boolean;
  /** Whether steps are replayed; see {@link Adaptation.isReplayed}. */
  readonly isReplayed: boolean;
}

/** A way with what it takes. */
export interface StepPlan extends StepWay {
  /** Bytes of GPU buffers at most, with those in use already: the weights first of all. */
  readonly bytes: number;
}

/** What a plan is made from. */
export interface StepPlanning {
  /** Images in a step. */
  readonly images: number;
  /** How many batches make a step, where that is settled. */
  readonly accumulate?: number;
  /** Whether activations are computed again, where that is settled. */
  readonly checkpointing?: boolean;
  /** Bytes in use already. */
  readonly used: number;
  /** Bytes that may be taken, with those in use. */
  readonly most: number;
  /** The bytes that a way takes beside those in use; Infinity where the adapter cannot bind its tensors. */
  readonly measure: (way: StepWay) => number;
}

/** From the fastest to the one that takes least: a recording takes memory, computing again takes time. */
const TIERS: readonly Pick<StepWay, "checkpointing" | "isReplayed">[] = [
  { checkpointing: false, isReplayed: true },
  { checkpointing: true, isReplayed: true },
  { checkpointing: false, isReplayed: false },
  { checkpointing: true, isReplayed: false },
];

/**
 * The way that computes least again of those that stay within memory, with as many images at once as fit:
 * the fewer, the less the entropy loss and batch norms see of a step at once. Nothing is run.
 *
 * @throws {OutOfMemoryError} where none fits.
 */
export function planStep(planning: StepPlanning): StepPlan {
  const { checkpointing } = planning;
  const tiers = TIERS.filter((tier) =>
    checkpointing === undefined
      ? tier.checkpointing || tier.isReplayed // for less memory, activations first
      : tier.checkpointing === checkpointing
  );
  let least = Infinity;
  for (const tier of tiers) {
    const plan = largestBatch(planning, tier);
    if (plan.bytes <= planning.most) return plan;
    least = Math.min(least, plan.bytes);
  }
  throw new OutOfMemoryError(tooSmall(planning, least));
}

/** The plan of the largest batches that fit, else of the smallest; bytes fall with the batch. */
function largestBatch(
  { images, accumulate, used, most, measure }: StepPlanning,
  tier: Pick<StepWay, "checkpointing" | "isReplayed">,
): StepPlan {
  const counts = accumulate === undefined ? divisorsOf(images) : [accumulate];
  const planWith = (accumulate: number): StepPlan => {
    const way = { batch: images / accumulate, accumulate, ...tier };
    return { ...way, bytes: used + measure(way) };
  };
  let plan = planWith(counts.at(-1)!);
  for (let from = 0, to = counts.length - 1; from < to && plan.bytes <= most;) {
    const middle = (from + to) >> 1;
    const other = planWith(counts[middle]);
    if (other.bytes <= most) [plan, to] = [other, middle];
    else from = middle + 1;
  }
  return plan;
}

/** The whole numbers that divide another, from 1 up. */
function divisorsOf(count: number): number[] {
  return Array.from({ length: count }, (_, i) => i + 1).filter((i) => count % i === 0);
}

function tooSmall({ images, accumulate, checkpointing, used, most }: StepPlanning, least: number) {
  const batch = accumulate === undefined ? 1 : images / accumulate;
  const atOnce = batch === 1 ? "one image" : `${batch} images`;
  const again = checkpointing === false ? "" : " and activations computed again";
  const needed = least === Infinity
    ? "parts of it exceed what the adapter binds at once"
    : `it needs ${bytesInWords(least)}, ${bytesInWords(used)} of that in use already`;
  const advice = [
    ...(accumulate === undefined ? [] : ["smaller batches"]),
    ...(checkpointing === false ? ["checkpointing"] : []),
    "smaller images",
    "a lower rank",
    "more memory",
  ];
  return `a training step does not fit into ${
    bytesInWords(most)
  } of GPU memory: even with ${atOnce} ` +
    `at once${again} ${needed}; give it ${advice.slice(0, -1).join(", ")} or ${advice.at(-1)}`;
}
