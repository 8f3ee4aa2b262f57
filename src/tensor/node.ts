import type { Shape } from "./shape.ts";
import type { Tensor } from "./tensor.ts";

/**
 * One gradient per input, in their order; null where there is none or none was asked for.
 * `saved` are the tensors named when the operation was recorded, `needs` says which inputs want one.
 * `sums` are the inputs' gradients as far as later operations gave them, where nobody else reads those
 * bytes: instead of a gradient of its own, which would be added and needs as much memory again, an
 * operation may add to a sum in place and return it.
 */
export type Backward = (
  dy: Tensor,
  saved: readonly Tensor[],
  needs: readonly boolean[],
  sums: Cotangents,
) => readonly (Tensor | null)[];

/** Gradients of an operation's outputs or inputs, undefined for one that none has reached. */
export type Cotangents = readonly (Tensor | undefined)[];

/** The same as {@link Backward} for an operation of several outputs; one of `dys` is there at least. */
export type JointBackward = (
  dys: Cotangents,
  saved: readonly Tensor[],
  needs: readonly boolean[],
  sums: Cotangents,
) => readonly (Tensor | null)[];

/**
 * Makes the graph anew that a node stands for, from what it saved and its inputs, and returns the node
 * of the same output there, with a holder for the caller.
 */
export type Remake = (saved: readonly Tensor[], inputs: readonly (Node | undefined)[]) => Node;

/** A tensor's place in the autograd graph: a leaf, or the operation that made it. */
export interface Node {
  /** Rises with every recorded operation, so that descending ids are a valid backward order. */
  readonly id: number;
  /** The operation's public name; "leaf" for a leaf. */
  readonly name: string;
  /** The shapes of its outputs, nearly always one, which gradients must have. */
  readonly shapes: readonly Shape[];
  /** The inputs' nodes, undefined for inputs that want no gradient. */
  readonly inputs: readonly (Node | undefined)[];
  /** Shared handles of what backward needs; emptied when backward has passed. */
  saved: readonly Tensor[];
  /** The operation's gradient; undefined for a leaf and once the graph was consumed. */
  backward: JointBackward | undefined;
  /** In place of `backward`: makes the graph that gradients pass instead of the node. */
  remake: Remake | undefined;
  /** Which output of its input it stands for: 0 but for a part of an operation of several outputs. */
  readonly part: number;
  /** How many hold it: its tensor, and the operations that used it. */
  references: number;
}

let lastId = 0;

/** The id of the latest node: all that are made from now on have higher ones. */
export function latestId(): number {
  return lastId;
}

/** The node of a tensor that gradients are wanted for. */
export function leafNode(shape: Shape): Node {
  return newNode("leaf", shape, [], [], undefined);
}

/** The node of an operation's output, which holds its inputs' nodes. */
export function newNode(
  name: string,
  shape: Shape,
  inputs: readonly (Node | undefined)[],
  saved: readonly Tensor[],
  backward: Backward | undefined,
): Node {
  const joint: JointBackward | undefined = backward &&
    (([dy], saved, needs, sums) => backward(dy!, saved, needs, sums));
  return make(name, [shape], inputs, saved, joint, 0);
}

/**
 * The nodes of the several outputs of one operation. Each stands for its output and leads to the one
 * node of the operation, which only they hold.
 */
export function partNodes(
  name: string,
  shapes: readonly Shape[],
  inputs: readonly (Node | undefined)[],
  saved: readonly Tensor[],
  backward: JointBackward,
): Node[] {
  const operation = make(name, shapes, inputs, saved, backward, 0);
  const parts = shapes.map((shape, part) =>
    make(name, [shape], [operation], [], ([dy]) => [dy!], part)
  );
  operation.references--; // no tensor holds it
  return parts;
}

/** The node of what can be made again; see {@link checkpoint}. */
export function remadeNode(
  shape: Shape,
  inputs: readonly (Node | undefined)[],
  saved: readonly Tensor[],
  remake: Remake,
): Node {
  return { ...make("checkpoint", [shape], inputs, saved, undefined, 0), remake };
}

function make(
  name: string,
  shapes: readonly Shape[],
  inputs: readonly (Node | undefined)[],
  saved: readonly Tensor[],
  backward: JointBackward | undefined,
  part: number,
): Node {
  for (const input of inputs) if (input) holdNode(input);
  const id = ++lastId;
  return { id, name, shapes, inputs, saved, backward, remake: undefined, part, references: 1 };
}

/** Adds a holder. */
export function holdNode(node: Node): Node {
  node.references++;
  return node;
}

/** Frees what a node saved, once backward has passed it or nobody can ask for it any more. */
export function consumeNode(node: Node): void {
  for (const tensor of node.saved) tensor.dispose();
  node.saved = [];
  node.backward = undefined;
  node.remake = undefined;
}

/**
 * Takes a holder away. A node that nobody holds is out of every gradient's reach: what it saved is
 * freed, and its inputs lose a holder in turn.
 */
export function dropNode(node: Node): void {
  const dropped = [node];
  for (const next of dropped) {
    if (--next.references > 0) continue;
    consumeNode(next);
    for (const input of next.inputs) if (input) dropped.push(input);
  }
}
