import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { fromFileUrl, join } from "@std/path";
import { Tokenizer } from "../../src/tokenizer.ts";
import { gpuTest } from "../support/gpu.ts";
import { TinyGround } from "../train/tiny.ts";
import { coda } from "./program.ts";
import { contents } from "./tiny_tokenizer.ts";

/** The command line of a tiny run. */
function tinyArgs(ground: TinyGround, out: string, ...more: string[]): string[] {
  return [
    "adapt",
    ground.path("images"),
    ...["--out", ground.path(out), "--vae", ground.path("vae"), "--size", "8", "--batch", "2"],
    ...["--codebook-size", "16", "--patch-sizes", "1,2,4", "--rank", "2"],
    ...["--targets", "conv1,upsample", "--seed", "3", "--warmup-batch", "3", ...more],
  ];
}

gpuTest(
  "adapt: reports, then a folder that the tokenizer loads; a second run leaves it alone",
  async (gpu) => {
    await using ground = await TinyGround.make(gpu);
    await Deno.writeFile(ground.path("images/broken.png"), new Uint8Array(9));
    const steps = ["--warmup-steps", "2", "--steps", "3", "--log-every", "1"];
    const views = ["--heldout", ground.path("images/0.png"), "--eval-every", "4"];
    const args = tinyArgs(ground, "run", ...steps, ...views);
    const run = await coda(args);
    assertEquals(run.code, 0, run.stderr);
    const out = ground.path("run");
    const summary = run.stdout.trim().split("\n");
    assertMatch(
      summary[0],
      /^5 steps, .*, 12 images seen, 1 files left out; use it with: coda encode IMAGE --model /,
    );
    assertMatch(
      summary[1],
      /^best \S+ dB \(center-8, 1 held-out images\) after step [45]: \S+run\/best$/,
    );
    assertMatch(summary[2], /^to look at: \S+run\/samples; tensorboard --logdir \S+run$/);
    const all = run.stderr.trim().split("\n");
    const lines = all.filter((line) => /^step \d\//.test(line));
    assertEquals(lines.length, 5);
    assertEquals(all.filter((line) => line.includes("broken.png: ")).length, 1);
    assertMatch(
      all.find((line) => line.startsWith("step 4 held out")) ?? "",
      /^step 4 held out {2}\S+ dB \(center-8, 1 images\) {2}codes \S+ % {2}best$/,
    );
    assertMatch(
      lines[0],
      /^step 1\/5 warmup +loss \S+ +vq \S+ +entropy \S+ +gradient \S+ +codes \S+ %/,
    );
    assertMatch(
      lines[4],
      /^step 5\/5 joint +loss \S+ +l1 \S+ +l2 \S+ +vq \S+ +entropy .* images\/s$/,
    );
    using tokenizer = await Tokenizer.load(out, { gpu });
    assertEquals(tokenizer.quantizer.config.codebookSize, 16);
    const before = await contents(out);
    const again = await coda(args);
    assertEquals(again, {
      code: 1,
      stdout: "",
      stderr:
        `coda: ${out}: is not empty; --resume continues the run in it, else name another folder\n`,
    });
    assertEquals(await contents(out), before);
  },
);

gpuTest(
  "adapt: Ctrl-C saves and says how to resume; the resumed run ends like an unbroken one",
  async (gpu) => {
    if (Deno.build.os === "windows") return; // it has no signals to send
    await using ground = await TinyGround.make(gpu);
    const steps = ["--warmup-steps", "3", "--steps", "30", "--log-every", "1", "--json"];
    const whole = await coda(tinyArgs(ground, "whole", ...steps));
    assertEquals({ code: whole.code, stderr: unlessOff(whole.stderr) }, { code: 0, stderr: "" });
    const broken = await interrupted(tinyArgs(ground, "broken", ...steps), 5);
    const out = ground.path("broken");
    assertEquals(broken.code, 130);
    assertMatch(
      unlessOff(broken.stderr),
      /^coda: stopped after step \d+ of 33 and saved; continue with: coda adapt --out \S+ --resume\n$/,
    );
    const resumed = await coda(["adapt", "--out", out, "--resume", "--json"]);
    assertEquals({ code: resumed.code, stderr: unlessOff(resumed.stderr) }, {
      code: 0,
      stderr: "",
    });
    for (const file of ["model.safetensors", "checkpoints/step-33/training.safetensors"]) {
      const [a, b] = await Promise.all(
        ["whole", "broken"].map((run) => Deno.readFile(ground.path(join(run, file)))),
      );
      assertEquals(a.length === b.length && a.every((byte, i) => byte === b[i]), true, file);
    }
    const stepsOf = (text: string) => text.trim().split("\n").map((line) => JSON.parse(line).step);
    assertEquals(stepsOf(whole.stdout).at(-1), 33);
    const other = await coda(["adapt", "--out", out, "--resume", "--lr", "1"]);
    assertEquals(other.code, 2);
    assertStringIncludes(other.stderr, "coda: --lr is 1, but the run began with 0.0005: leave it");
  },
);

/** What is told beside the losses that are off. */
function unlessOff(stderr: string): string {
  const lines = stderr.split("\n");
  const others = lines.filter((line) => !/^coda: the \w+ loss is off: /.test(line));
  assertEquals(others.length, lines.length - 2, stderr);
  return others.join("\n");
}

/** Starts the program, sends it Ctrl-C when it has printed so many lines, and waits for its end. */
async function interrupted(
  args: string[],
  lines: number,
): Promise<{ code: number; stderr: string }> {
  const main = fromFileUrl(new URL("../../src/cli/main.ts", import.meta.url));
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", main, ...args],
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const errors = new Response(child.stderr).text();
  let seen = 0;
  for await (const part of child.stdout.pipeThrough(new TextDecoderStream())) {
    const before = seen;
    seen += part.split("\n").length - 1;
    if (before < lines && seen >= lines) child.kill("SIGINT");
  }
  return { code: (await child.status).code, stderr: await errors };
}

gpuTest("adapt: what cannot work is told before any training, and leaves nothing", async (gpu) => {
  await using ground = await TinyGround.make(gpu);
  const file = ground.path("vae/config.json");
  const cases: [string[], string][] = [
    [
      tinyArgs(ground, "vae/config.json/run"),
      `cannot write ${join(file, "run")}: ${join(file, "run")} is not a folder`,
    ],
    [
      ["adapt", ground.path("none"), "--out", ground.path("run")],
      "none: there is no such file or folder",
    ],
    [
      [...tinyArgs(ground, "run"), "--vae", ground.path("images")],
      "images: holds no weight file",
    ],
    [["adapt", "--out", ground.path("run"), "--resume"], "config.json: there is no such file"],
  ];
  const before = await contents(ground.folder);
  for (const [args, message] of cases) {
    const { code, stdout, stderr } = await coda(args);
    assertEquals({ code, stdout }, { code: 1, stdout: "" }, stderr);
    assertStringIncludes(stderr, message);
    assertEquals(stderr.trim().split("\n").length, 1, stderr);
    assertEquals(await contents(ground.folder), before);
  }
});

gpuTest("adapt: a flag that does not fit the VAE is named, and the code is 2", async (gpu) => {
  await using ground = await TinyGround.make(gpu);
  const before = await contents(ground.folder);
  for (
    const [flags, message] of [
      [["--targets", "xyz"], "--targets is xyz, but no convolution's name contains any of it"],
      [["--size", "9"], "--size is 9, expected a multiple of this VAE's reduction, 2"],
    ] as const
  ) {
    const { code, stdout, stderr } = await coda([...tinyArgs(ground, "run"), ...flags]);
    assertEquals({ code, stdout }, { code: 2, stdout: "" }, stderr);
    assertStringIncludes(stderr, `coda: ${message}`);
    assertStringIncludes(stderr, "see coda adapt --help");
  }
  assertEquals(await contents(ground.folder), before);
});

Deno.test("adapt: wrong command lines end with 2", async () => {
  for (
    const [args, message] of [
      [["adapt", "photos"], "adapt needs --out"],
      [["adapt", "--out", "run"], "adapt needs at least one IMAGE|FOLDER"],
      [
        ["adapt", "photos", "--out", "run", "--patch-sizes", "4,2"],
        "--patch-sizes takes whole numbers",
      ],
      [["adapt", "photos", "--out", "run", "--steps", "-1"], "--steps"],
    ] as const
  ) {
    const { code, stdout, stderr } = await coda(args);
    assertEquals({ code, stdout }, { code: 2, stdout: "" });
    assertStringIncludes(stderr, `coda: ${message}`);
  }
});
