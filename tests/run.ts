// Runs the tests of the paths given, else all of them and the examples in the documentation.

const noGpu = Deno.env.get("CODA_NO_GPU") === "1";
const paths = Deno.args.length > 0 ? Deno.args : ["mod.ts", "src", "tests"];

if (noGpu) {
  console.error(
    "CODA_NO_GPU=1: the tests that need a GPU and the documentation's examples are not run",
  );
}
const tests = new Deno.Command(Deno.execPath(), {
  args: ["test", "-A", ...(noGpu ? [] : ["--doc"]), ...paths],
});
const { code } = await tests.spawn().status;
Deno.exit(code);
