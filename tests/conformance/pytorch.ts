import { assert, assertEquals } from "@std/assert";
import { join } from "@std/path";
import { PytorchFile, SafetensorsFile } from "../../src/checkpoint/mod.ts";

/** Where a file's tensors are told: in which file, and behind which prefix there. */
interface Told {
  readonly file: string;
  readonly prefix: string;
  /** What stands before the names in the PyTorch file. */
  readonly own?: string;
}

const TOLD: Readonly<Record<string, Told>> = {
  "quantizer_small.pth": { file: "quantizer_small", prefix: "" },
  "quantizer_small_legacy.pth": { file: "quantizer_small", prefix: "" },
  "quantizer_small_f16.pth": { file: "pth_expected", prefix: "f16_as_f32." },
  "quantizer_small_bf16.pth": { file: "pth_expected", prefix: "bf16_as_f32." },
  "nested.pth": { file: "quantizer_small", prefix: "", own: "model." },
  "views.pth": { file: "pth_expected", prefix: "views." },
  "views_legacy.pth": { file: "pth_expected", prefix: "views." },
};

/** Every PyTorch file of the goldens holds the tensors that are told beside it, bit for bit. */
export function pytorch(goldens: string): void {
  const names = [...Deno.readDirSync(goldens)].map(({ name }) => name)
    .filter((name) => name.endsWith(".pth")).sort();
  for (const name of names) {
    Deno.test(`${name} holds the tensors that PyTorch wrote`, async () => {
      const told = TOLD[name];
      assert(told !== undefined, `nothing tells what ${name} holds`);
      using file = await PytorchFile.open(join(goldens, name));
      using expected = await SafetensorsFile.open(join(goldens, `${told.file}.safetensors`));
      await compare(file, expected, told);
    });
  }
}

async function compare(file: PytorchFile, expected: SafetensorsFile, told: Told): Promise<void> {
  const { prefix, own = "" } = told;
  if (prefix !== "") {
    const all = expected.names.filter((name) => name.startsWith(prefix));
    assertEquals(file.names.toSorted(), all.map((name) => name.slice(prefix.length)).toSorted());
  }
  assert(file.names.length > 8);
  for await (const { name, shape, data } of file.tensors()) {
    assert(name.startsWith(own), name);
    const other = await expected.tensor(prefix + name.slice(own.length));
    assertEquals(shape, other.shape, name);
    assertEquals(data, other.data, name);
  }
}
