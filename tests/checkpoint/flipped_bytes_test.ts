import { assert, assertEquals } from "@std/assert";
import { fromFileUrl } from "@std/path";
import {
  CheckpointError,
  encodeSafetensors,
  PytorchFile,
  SafetensorsFile,
  type TensorFile,
} from "../../src/checkpoint/mod.ts";
import { Random } from "../support/random.ts";

const FIXTURES = fromFileUrl(new URL("../fixtures/pytorch", import.meta.url));
const ROUNDS = 600;

const pytorch = [
  ...["views.pth", "views_legacy.pth", "views_protocol4.pth", "dtypes.pt", "training.bin"],
  ...["lightning.ckpt", "lightning_legacy.ckpt"],
];

/** A good file with a few bytes changed, moved or taken away. */
function damaged(good: Uint8Array, random: Random): Uint8Array {
  const below = (count: number) => Math.floor(random.next() * count);
  const bytes = good.slice();
  for (let times = 1 + below(4); times > 0; times--) {
    const at = below(bytes.length);
    const way = below(4);
    if (way === 0) bytes[at] ^= 1 << below(8);
    if (way === 1) bytes[at] = below(256);
    if (way === 2) bytes.copyWithin(at, below(bytes.length), at + below(16));
    if (way === 3) bytes.fill(below(2) * 255, at, at + 1 + below(8));
  }
  return below(10) === 0 ? bytes.subarray(0, below(bytes.length)) : bytes;
}

/** Reads all of a file; whether it could be. */
async function survives(open: () => Promise<TensorFile>): Promise<boolean> {
  try {
    using file = await open();
    for (const name of file.names) await file.tensor(name);
    return true;
  } catch (error) {
    assert(error instanceof CheckpointError, `${error}\n${(error as Error).stack}`);
    assertEquals(error.file, "damaged");
    return false;
  }
}

async function check(
  good: Uint8Array,
  seed: number,
  open: (bytes: Uint8Array) => Promise<TensorFile>,
): Promise<void> {
  const random = new Random(seed);
  let read = 0;
  for (let round = 0; round < ROUNDS; round++) {
    const bytes = damaged(good, random);
    if (await survives(() => open(bytes))) read++;
  }
  assert(read < ROUNDS, "no damage was noticed");
}

pytorch.forEach((name, seed) => {
  Deno.test(`${name} with damaged bytes is read or refused, and nothing else`, async () => {
    const good = await Deno.readFile(`${FIXTURES}/${name}`);
    await check(good, seed + 1, (bytes) => PytorchFile.fromBytes(bytes, "damaged"));
  });
});

Deno.test("A safetensors file with damaged bytes is read or refused, and nothing else", async () => {
  const good = encodeSafetensors([
    { name: "a", shape: [2, 3], data: new Float32Array(6) },
    { name: "b.weight", shape: [4], data: new Float32Array(4), dtype: "bf16" },
    { name: "n", shape: [], data: new BigInt64Array(1) },
  ], { metadata: { format: "pt" } });
  // deno-lint-ignore require-await -- as the other format's reader, whose faults are rejections
  await check(good, 99, async (bytes) => SafetensorsFile.fromBytes(bytes, "damaged"));
});
