import { assertRejects } from "@std/assert";
import { record, share, type Tensor, zeros } from "../../src/tensor/mod.ts";
import { gpuTest } from "./gpu.ts";
import { torchcheck } from "./torchcheck.ts";

function reshape(x: Tensor, shape: number[], backward: (dy: Tensor) => Tensor): Tensor {
  const output = share(x, shape);
  x.gpu.track(output);
  return record("reshape", { inputs: [x], output, backward: (dy) => [backward(dy)] });
}

function back(dy: Tensor, shape: readonly number[]): Tensor {
  const dx = share(dy, shape);
  dy.gpu.track(dx);
  return dx;
}

gpuTest("torchcheck accepts what is right", async () => {
  await torchcheck("reshape", ([x], { shape }) => reshape(x, shape, (dy) => back(dy, x.shape)));
});

gpuTest("torchcheck finds a wrong gradient", async () => {
  const wrong = torchcheck(
    "reshape",
    ([x], { shape }) => reshape(x, shape, (dy) => zeros(dy.gpu, x.shape)),
  );
  await assertRejects(() => wrong, Error, "reshape 0: gradient 0");
});

gpuTest("torchcheck finds a wrong output", async () => {
  const wrong = torchcheck(
    "permute",
    ([x], { axes }) =>
      reshape(x, axes.map((axis: number) => x.shape[axis]), (dy) => back(dy, x.shape)),
  );
  await assertRejects(() => wrong, Error, "permute 0: output");
});
