import { isRecording, keepsHalf, withHalfActivations } from "./autograd.ts";
import { ShapeError } from "./errors.ts";
import { share } from "./make.ts";
import { holdNode, latestId, type Node, remadeNode } from "./node.ts";
import { sameShape, shapeText } from "./shape.ts";
import type { Tensor } from "./tensor.ts";

/** Work on tensors that {@link checkpoint} does twice. */
export type CheckpointedWork = (inputs: readonly Tensor[]) => Tensor;

/**
 * Activation checkpointing (Chen et al. 2016): does work on inputs and keeps nothing of it for
 * `gradients` but the inputs. The backward pass does the work again when it gets there, with the same
 * kernels in the same order, and frees what that keeps before it goes on. So gradients have the bits
 * that they have without; memory is paid for with the time of one more forward pass.
 *
 * Gradients flow to the inputs and to all that the work uses beside them, as parameters: that must
 * live, unchanged, until the backward pass. The work must do the same both times: it changes no state,
 * as the running statistics of a norm, and draws no random numbers. What it makes beside its result is
 * out of any gradient's reach. Such work may be part of other such work, which then does it three times,
 * and of a recording of {@link Replays}.
 *
 * @throws {ShapeError} in the backward pass, where the work then has another result.
 *
 * @example
 * ```ts
 * import { checkpoint, exp, fromArray, Gpu, gradients, square, sum } from "@coda/tokenizer/tensor";
 *
 * using gpu = await Gpu.create();
 * const x = fromArray(gpu, [0, 1], [2]).requireGrad();
 * const y = checkpoint(([x]) => exp(square(x)), [x]); // keeps x, not its square
 * const [dx] = gradients(sum(y), [x]);
 * console.log(await dx.read()); // 0, 2e
 * ```
 */
export function checkpoint(work: CheckpointedWork, inputs: readonly Tensor[]): Tensor {
  if (!isRecording() || inputs.length === 0) return work(inputs);
  const { gpu } = inputs[0];
  const since = latestId();
  using scope = gpu.scope();
  const y = work(inputs);
  if (!y.node || y.node.id <= since) return scope.keep(y);
  const held = inputs.map((input) => share(input));
  const nodes = inputs.map(({ node }) => node);
  const inHalf = keepsHalf();
  const output = share(y);
  output.node = remadeNode(
    y.shape,
    [...nodes, ...nodesBefore(y.node, since)],
    held,
    (held, nodes) => withHalfActivations(() => remake(work, y.shape, held, nodes), inHalf),
  );
  scope.add(output);
  return scope.keep(output);
}

/** The nodes of other graphs that one begins at, which was made after `since`. */
function nodesBefore(last: Node, since: number): Node[] {
  const seen = new Set<Node>([last]);
  for (const node of seen) {
    if (node.id <= since) continue;
    for (const input of node.inputs) if (input) seen.add(input);
  }
  return [...seen].filter(({ id }) => id <= since);
}

/** Does the work again on inputs in their old places in the graph. */
function remake(
  work: CheckpointedWork,
  shape: Tensor["shape"],
  held: readonly Tensor[],
  nodes: readonly (Node | undefined)[],
): Node {
  using scope = held[0].gpu.scope();
  const inputs = held.map((tensor, i) => {
    const input = share(tensor);
    const node = nodes[i];
    input.node = node && holdNode(node);
    scope.add(input);
    return input;
  });
  const y = work(inputs);
  if (!sameShape(y.shape, shape)) {
    const [found, expected] = [y.shape, shape].map(shapeText);
    throw new ShapeError("checkpoint", `done again, the work gave ${found}, before ${expected}`);
  }
  if (!y.node) {
    throw new TypeError("checkpoint: done again, the work's result wants no gradient");
  }
  return holdNode(y.node);
}
