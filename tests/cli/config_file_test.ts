import { assertEquals, assertRejects } from "@std/assert";
import { UsageError } from "../../src/cli/errors.ts";
import { settleOptions } from "../../src/cli/work/adapt_options.ts";
import { readConfigFile } from "../../src/cli/work/config_file.ts";
import { ADAPT_PRESETS } from "../../src/train/adapt_presets.ts";
import { OptionError, resolveOptions } from "../../src/train/mod.ts";
import { ADAPT_PRESET_NAMES } from "../../src/train/preset_names.ts";
import { withFolder } from "../data/photos.ts";

const TOML = `# a run
preset = "tiny"
images = ["photos", "more"]
steps = 7
lr = 1e-3
patchSizes = [1, 2, 4]
`;

Deno.test("--config: TOML and JSON give the same options", async () => {
  await withFolder(async (folder) => {
    const preset = "tiny" as const;
    const options = { images: ["photos", "more"], steps: 7, lr: 1e-3, patchSizes: [1, 2, 4] };
    await Deno.writeTextFile(`${folder}/run.toml`, TOML);
    await Deno.writeTextFile(`${folder}/run.json`, JSON.stringify({ preset, ...options }));
    for (const name of ["run.toml", "run.json"]) {
      assertEquals(await readConfigFile(`${folder}/${name}`), { preset, options }, name);
    }
  });
});

Deno.test("--config: what is no option is named with its file, and what was meant", async () => {
  await withFolder(async (folder) => {
    for (
      const [name, text, message] of [
        ["a.toml", "stpes = 7", "a.toml: there is no option stpes; did you mean steps?"],
        ["a.toml", "[training]\nsteps = 7", "a.toml: there is no option training"],
        ["a.toml", 'steps = "7"', 'a.toml: steps is "7", expected a number'],
        ["a.toml", "vae = 3", "a.toml: vae is 3, expected a text"],
        ["a.json", '{"images": "photos"}', 'a.json: images is "photos", expected a list of texts'],
        ["a.toml", 'preset = "tny"', 'a.toml: preset is "tny", expected one of mar-16384, '],
        ["a.toml", "steps = = 7", "a.toml: is no TOML: "],
        ["a.json", "{steps}", "a.json: is no JSON: "],
        ["a.json", "[7]", "a.json: found [7], expected an object"],
        ["a.yaml", "steps: 7", "a.yaml: expected a file that ends in .toml or .json"],
      ]
    ) {
      const path = `${folder}/${name}`;
      await Deno.writeTextFile(path, text);
      await assertRejects(() => readConfigFile(path), UsageError, message);
    }
    const missing = () => readConfigFile(`${folder}/none.toml`);
    await assertRejects(missing, UsageError, "none.toml: there is no such file");
  });
});

Deno.test("flags go before the file, and it before the preset", async () => {
  await withFolder(async (folder) => {
    const config = `${folder}/run.toml`;
    await Deno.writeTextFile(config, TOML);
    const flags = { steps: 9, vae: undefined };
    const { options, usageError } = await settleOptions({ config, preset: undefined, flags });
    const { steps, lr, batch, images } = options;
    assertEquals({ steps, lr, batch, images }, {
      steps: 9,
      lr: 1e-3,
      batch: 2,
      images: ["photos", "more"],
    });
    const wrong = (option: string) => usageError(new OptionError(option, "is 0")).message;
    assertEquals(wrong("steps"), "--steps is 0");
    assertEquals(wrong("lr"), `--config ${config}: lr is 0`);
    const both = await settleOptions({ config, preset: "mar-16384", flags: { vae: "v" } });
    assertEquals([both.options.rank, both.options.steps], [32, 7]);
  });
});

Deno.test("--config of another command's run is refused, and --memory cuts a preset's step", async () => {
  await withFolder(async (folder) => {
    const config = `${folder}/run.toml`;
    await Deno.writeTextFile(config, 'task = "vae"');
    const of = (task: "adapt" | "vae") =>
      settleOptions({ config, preset: undefined, flags: { task } });
    await assertRejects(
      () => of("adapt"),
      UsageError,
      'task is "vae", but this command\'s is "adapt"',
    );
    assertEquals((await of("vae")).options, { task: "vae" });
  });
  const cut = async (memory?: number, flags: { batch?: number } = {}) => {
    const given = { config: undefined, preset: "mar-16384" as const, memory };
    const { options } = await settleOptions({ ...given, flags: { vae: "v", ...flags } });
    return [options.batch, options.accumulate];
  };
  assertEquals(await cut(), [8, 32]);
  assertEquals(await cut(2 ** 33), [256, undefined]); // as many at once as fit
  assertEquals(await cut(2 ** 33, { batch: 64 }), [64, undefined]);
});

Deno.test("presets: each is sound, and asks for the VAE that it is for", async () => {
  for (const preset of ADAPT_PRESET_NAMES) {
    resolveOptions({ images: ["photos"], steps: 1, ...ADAPT_PRESETS[preset] });
    const settled = settleOptions({ config: undefined, preset, flags: {} });
    if (preset === "tiny") await settled;
    else await assertRejects(() => settled, UsageError, `the preset ${preset} is for a VAE of `);
  }
  const { codebookSize, targets, patchSizes } = ADAPT_PRESETS["flux-65536"];
  assertEquals([codebookSize, targets, patchSizes?.at(-1)], [65_536, ["conv1", "conv2"], 32]);
});
