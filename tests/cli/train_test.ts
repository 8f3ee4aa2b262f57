import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { gpuTest } from "../support/gpu.ts";
import { TinyGround } from "../train/tiny.ts";
import { coda } from "./program.ts";

/** The flags of a tiny run. */
function tiny(ground: TinyGround, out: string, ...more: string[]): string[] {
  const flags = ["--size", "8", "--batch", "2", "--steps", "2", "--log-every", "1", "--seed", "3"];
  const watched = ["--sample-every", "2", "--heldout", ground.path("images"), "--eval-every", "2"];
  return [ground.path("images"), "--out", ground.path(out), ...flags, ...watched, ...more];
}

gpuTest(
  "train-vae makes a VAE that adapt takes, train-vqgan a tokenizer that encode takes",
  async (gpu) => {
    await using ground = await TinyGround.make(gpu);
    const built = ["--architecture", ground.path("vae")];
    const vae = await coda(["train-vae", ...tiny(ground, "trained", ...built)]);
    assertEquals(vae.code, 0, vae.stderr);
    assertMatch(vae.stdout, /^2 steps, .*; adapt it with: coda adapt IMAGE --vae \S+ --out DIR\n/);
    assertMatch(
      vae.stderr,
      /^step 1\/2 joint +loss \S+ +l1 \S+ +l2 \S+ +kl \S+ +gradient \S+ +\S+ i/m,
    );
    const own = ["--vae", ground.path("trained"), "--quantizer", "nearest", "--rank", "0"];
    const adapted = await coda([
      "adapt",
      ...tiny(ground, "adapted", ...own, "--codebook-size", "16"),
    ]);
    assertEquals(adapted.code, 0, adapted.stderr);
    const vqgan = await coda([
      "train-vqgan",
      ...tiny(ground, "vqgan", ...built, "--codebook-size", "16"),
    ]);
    assertEquals(vqgan.code, 0, vqgan.stderr);
    assertMatch(vqgan.stdout, /use it with: coda encode IMAGE --model \S+\n/);
    for (const model of ["adapted", "vqgan"]) {
      const image = ground.path("images/0.png");
      const to = ["--out", ground.path(`${model}.coda`)];
      const encoded = await coda(["encode", image, "--model", ground.path(model), ...to]);
      assertEquals(encoded.code, 0, encoded.stderr);
    }
    const other = await coda(["train-vae", "--out", ground.path("vqgan"), "--resume"]);
    assertEquals(other.code, 2);
    assertStringIncludes(other.stderr, "the task is vae, but the run began with vqgan");
  },
);

Deno.test("train-vae and train-vqgan: wrong usage ends with 2", async () => {
  for (
    const [args, message] of [
      [["train-vae", "photos"], "train-vae needs --out, the folder of the run"],
      [["train-vqgan", "--out", "run"], "train-vqgan needs at least one IMAGE|FOLDER"],
      [["train-vqgan", "photos", "--out", "run", "--lr", "0"], "--lr is 0, expected a number"],
      [["train-vae", "photos", "--out", "run", "--rank", "2"], "unknown flag --rank"],
      [
        ["adapt", "photos", "--out", "run", "--quantizer", "lfq"],
        "--quantizer is one of coda, nearest, multiscale",
      ],
    ] as const
  ) {
    const { code, stdout, stderr } = await coda([...args]);
    assertEquals({ code, stdout }, { code: 2, stdout: "" }, stderr);
    assertStringIncludes(stderr, message);
  }
});
