// Runs the tests of the paths given, else all of them and the examples in the documentation.

const noGpu = Deno.env.get("CODA_NO_GPU") === "1";
const paths = Deno.args.length > 0 ? Deno.args : ["mod.ts", "src", "tests"];

if (noGpu) {
  console.error(
    "CODA_NO_GPU=1: the tests that need a GPU and the documentation's examples are not run",
  );
}
// Files side by side: a CPU adapter is idle while a test compiles or reads. Each has its own device, so
// no more than a few.
const jobs = Math.min(4, navigator.hardwareConcurrency);
const tests = new Deno.Command(Deno.execPath(), {
  args: ["test", "-A", "--parallel", ...(noGpu ? [] : ["--doc"]), ...paths],
  env: { DENO_JOBS: Deno.env.get("DENO_JOBS") ?? String(jobs) },
});
const { code } = await tests.spawn().status;
Deno.exit(code);
