import { adapt } from "/work/main/src/train/mod.ts";
import { Gpu } from "/work/main/src/gpu/mod.ts";
const gpu = await Gpu.create();
const t0 = performance.now();
const r = await adapt(gpu, Deno.args[0], {vae:"/work/main/models/tiny-kl-f8", images:["/tmp/demo-pack/package/media"], steps: 4, warmupSteps: 20, imageSize: 64, batch: 4, codebookSize: 1024, patchSizes:[1,2,3,4,6,8], logEvery:2, warmupBatch:8, warmupCrops:1}, {
 onProgress: (p)=>console.log(((performance.now()-t0)/1000).toFixed(1), JSON.stringify(p)), onEncode:(d,c)=>console.log(((performance.now()-t0)/1000).toFixed(1),"enc",d,c)});
console.log(r, gpu.memory);
gpu[Symbol.dispose]();
