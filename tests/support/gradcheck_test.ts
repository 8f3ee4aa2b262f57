import { assertRejects } from "@std/assert";
import { fromArray, record, share, type Tensor, zeros } from "../../src/tensor/mod.ts";
import { flat, gpuTest } from "./gpu.ts";
import { gradcheck } from "./gradcheck.ts";
import { Random } from "./random.ts";
import { add, map, type NDArray, neg, toF32 } from "./reference.ts";

/** Another handle on the same bytes, owned by the current scope. */
function alias(x: Tensor): Tensor {
  const y = share(x);
  x.gpu.track(y);
  return y;
}

/** The identity with a gradient of one's choice. */
function identity(x: Tensor, backward: (dy: Tensor) => Tensor): Tensor {
  return record("identity", {
    inputs: [x],
    output: alias(x),
    backward: (dy) => [backward(dy)],
  });
}

const small = new Random(1).normal([3, 5]);
const large = new Random(2).normal([40, 50]);

function check(
  inputs: NDArray[],
  backward: (dy: Tensor) => Tensor,
  reference: (xs: NDArray[]) => NDArray = ([x]) => x,
): Promise<void> {
  return gradcheck({
    name: "identity",
    inputs,
    op: ([x]) => identity(x, backward),
    reference,
    wrt: [0],
  });
}

gpuTest("gradcheck accepts what is right", async () => {
  await check([small], (dy) => dy);
  await check([large], (dy) => dy);
});

gpuTest("gradcheck finds a wrong output", async () => {
  const wrong = check([small], (dy) => dy, ([x]) => map(x, (value) => value + 1e-3));
  await assertRejects(() => wrong, Error, "identity: output [3,5]");
});

gpuTest("gradcheck finds a missing gradient", async () => {
  const missing = check([small], (dy) => zeros(dy.gpu, dy.shape));
  await assertRejects(() => missing, Error, "identity: gradient of input 0");
});

gpuTest("gradcheck finds a few wrong elements among many, whichever it draws", async () => {
  // The cotangent gradcheck uses with seed 1, with ten elements replaced.
  const cotangent = toF32(new Random(1).normal(large.shape));
  for (let i = 0; i < 10; i++) cotangent[190 * i + 7] = 9;
  const wrong = check([large], (dy) => fromArray(dy.gpu, cotangent, dy.shape));
  await assertRejects(() => wrong, Error, "gradient of input 0 along a random direction");
});

gpuTest("gradcheck leaves out what it is told to", async () => {
  const kink = map(small, (value) => (value > 0 ? 0 : value));
  const backward = (dy: Tensor) => dy;
  const reference = ([x]: NDArray[]) => map(x, (value) => Math.min(value, 0));
  const options = { name: "min", inputs: [kink], op: ([x]: Tensor[]) => identity(x, backward) };
  await assertRejects(
    () => gradcheck({ ...options, reference }),
    Error,
    "min: gradient of input 0",
  );
  await gradcheck({ ...options, reference, skip: ({ value }) => value === 0 });
});

gpuTest("gradcheck finds memory that is not given back", async (gpu) => {
  const leaked: Tensor[] = [];
  const wrong = check([small], (dy) => {
    leaked.push(share(dy));
    return dy;
  });
  await assertRejects(() => wrong, Error, "more live GPU bytes than before");
  for (const tensor of leaked) tensor.dispose();
  await flat(gpu, () => check([small], (dy) => dy));
});

gpuTest("gradcheck finds a gradient that is wrong only when it alone is wanted", async () => {
  const first = (x: Tensor, z: Tensor): Tensor =>
    record("first", {
      inputs: [x, z],
      output: alias(x),
      backward: (dy, _saved, [, both]) => [
        both ? dy : zeros(dy.gpu, dy.shape),
        zeros(dy.gpu, dy.shape),
      ],
    });
  const wrong = gradcheck({
    name: "first",
    inputs: [small, small],
    op: ([x, z]) => first(x, z),
    reference: ([x, z]) => add(x, add(z, neg(z))),
  });
  await assertRejects(() => wrong, Error, "gradient of input 0 when it alone wants one");
});
