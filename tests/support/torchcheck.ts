import { fromArray, gradients, type Tensor } from "../../src/tensor/mod.ts";
import { assertClose, assertShape } from "./compare.ts";
import { type OpCase, opCases } from "./fixtures.ts";
import { testGpu } from "./gpu.ts";
import { toF32 } from "./reference/ndarray.ts";

export interface TorchcheckOptions {
  /** Largest ‖a−b‖/‖b‖ of the output. Default 1e-5. */
  forward?: number;
  /** Largest ‖a−b‖/‖b‖ of each gradient. Default 1e-4. */
  tolerance?: number;
}

/**
 * Runs every fixture case of an operation on the GPU and compares its output and gradients with
 * PyTorch's. Inputs without a gradient in the fixture (indices) arrive as u32 tensors.
 */
export async function torchcheck(
  name: string,
  // deno-lint-ignore no-explicit-any -- each operation's fixtures carry that operation's own options
  op: (inputs: Tensor[], options: any) => Tensor,
  { forward = 1e-5, tolerance = 1e-4 }: TorchcheckOptions = {},
): Promise<void> {
  for (const torch of await opCases(name)) {
    const { output, found } = await runCase(torch, op);
    assertClose(output, torch.output, { name: `${torch.name}: output`, relative: forward });
    torch.gradients.filter((gradient) => gradient !== null).forEach((gradient, i) =>
      assertClose(found[i], gradient, {
        name: `${torch.name}: gradient ${i}`,
        relative: tolerance,
      })
    );
  }
}

interface CaseResult {
  output: ArrayLike<number>;
  found: ArrayLike<number>[];
}

async function runCase(
  torch: OpCase,
  op: (inputs: Tensor[], options: Record<string, unknown>) => Tensor,
): Promise<CaseResult> {
  const gpu = await testGpu();
  const record = () => {
    using _scope = gpu.scope();
    const inputs = torch.inputs.map((x, i) =>
      torch.gradients[i] || torch.inputs.length === 1
        ? fromArray(gpu, toF32(x), x.shape)
        : fromArray(gpu, Uint32Array.from(x.data), x.shape)
    );
    const leaves = inputs.filter((_, i) => torch.gradients[i]).map((x) => x.requireGrad());
    const y = op(inputs, torch.options);
    assertShape(y.shape, torch.output.shape, `${torch.name}: output`);
    const reads = [y.read()];
    if (leaves.length > 0) {
      const seed = fromArray(gpu, toF32(torch.cotangent), torch.cotangent.shape);
      for (const gradient of gradients(y, leaves, { seed })) reads.push(gradient.read());
    }
    return reads;
  };
  const [output, ...found] = await Promise.all(record());
  return { output, found };
}
