import { assertEquals } from "@std/assert";
import { fromFileUrl } from "@std/path";

Deno.test("kernels/mod.ts is what the .wgsl files give", async () => {
  const script = fromFileUrl(new URL("../../kernels/generate.ts", import.meta.url));
  const command = new Deno.Command(Deno.execPath(), {
    args: ["run", "-R", script, "--check"],
    stdin: "null",
  });
  const { code, stderr } = await command.output();
  assertEquals({ code, stderr: new TextDecoder().decode(stderr) }, { code: 0, stderr: "" });
});
