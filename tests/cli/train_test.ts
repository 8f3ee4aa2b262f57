import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { gpuTest } from "../support/gpu.ts";
import { TinyGround } from "../train/tiny.ts";
import { coda, runFile } from "./program.ts";

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

gpuTest(
  "train-vae: Ctrl-C is heard before the last evaluation, and the VAE is not done before it",
  async (gpu) => {
    if (Deno.build.os === "windows") return; // it has no signals to send
    await using ground = await TinyGround.make(gpu);
    const more = ["--architecture", ground.path("vae"), "--log-every", "2", "--json"];
    const args = ["train-vae", ...tiny(ground, "run", ...more)];
    const stopped = await runFile("tests/cli/coda_interrupted.ts", args);
    assertEquals(stopped.code, 130, stopped.stderr);
    assertStringIncludes(
      stopped.stderr,
      "coda: stopped after step 2 of 2 and saved; continue with",
    );
    const adapt = ["adapt", ...tiny(ground, "adapted", "--vae", ground.path("run"))];
    const early = await coda(adapt);
    assertEquals(early.code, 1);
    assertMatch(
      early.stderr,
      /^coda: \S+run\/config.json: is of a VAE before the end of .* --resume, or say both with --scale .*\n$/,
    );
    const resume = ["train-vae", "--out", ground.path("run"), "--resume", "--json"];
    const resumed = await coda(resume);
    assertEquals(resumed.code, 0, resumed.stderr);
    assertMatch(resumed.stdout, /^{"evaluation":{"step":2,[^\n]*\n$/);
    assertEquals((await coda(adapt)).code, 0);
    const other = await coda([...resume, "--heldout", ground.path("images/1.png")]);
    assertEquals(other.code, 1);
    assertStringIncludes(
      other.stderr,
      "run: the held-out images are not those that the run began with",
    );
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
