/**
 * What an adapter can do at most, measured by kernels that do nothing else: chains of multiply-adds in
 * registers, a copy of much memory, loads from little memory. They are written here and run on a device
 * of their own, so that no figure of the library is compared with the library.
 *
 * @module
 */
import { adapterReport, requestAdapter } from "../../src/gpu/mod.ts";

/** The measured peaks of an adapter. */
export interface Peaks {
  /** Float32 operations per second, a multiply-add being two. */
  float32: number;
  /** Float16 operations per second; null where the adapter has no f16. */
  float16: number | null;
  /** Bytes per second, read and written, of a copy by vec4 loads and stores. */
  copy: number;
  /** Loads of vec4<f32> per second from memory that fits the nearest cache. */
  loads: number;
}

/** One way of writing a kernel; the fastest of several is the peak. */
interface Variant {
  code: string;
  /** Workgroups of a dispatch. */
  grid: [number, number, number];
  /** Bytes of the buffer that is read and of the one that is written. */
  bytes: [number, number];
  /** What one dispatch does: operations, bytes or loads. */
  work: number;
}

const GROUP = 64;
const REPEAT = 16;
const SECONDS = 0.1;
const ROUNDS = 3;

/** Measures all peaks; takes a few seconds. */
export async function measurePeaks(): Promise<Peaks> {
  const adapter = await requestAdapter();
  const { isCpu, limits } = adapterReport(adapter);
  const device = await adapter.requestDevice({
    requiredFeatures: (["shader-f16", "timestamp-query"] as const).filter((feature) =>
      adapter.features.has(feature)
    ),
    requiredLimits: {
      maxStorageBufferBindingSize: limits.maxStorageBufferBindingSize,
      maxBufferSize: limits.maxBufferSize,
    },
  });
  try {
    const groups = isCpu ? 64 : 8192;
    const most = Math.min(limits.maxStorageBufferBindingSize, limits.maxBufferSize);
    const bytes = Math.min(isCpu ? 2 ** 26 : 2 ** 29, 2 ** Math.floor(Math.log2(most)));
    const hasHalf = device.features.has("shader-f16");
    return {
      float32: await best(device, arithmetic("f32", groups)),
      float16: hasHalf ? await best(device, arithmetic("f16", groups)) : null,
      copy: await best(device, copies(bytes)),
      loads: await best(device, loads(groups)),
    };
  } finally {
    device.destroy();
  }
}

/** The higher of each of two measurements. */
export function higherOf(a: Peaks, b: Peaks): Peaks {
  return {
    float32: Math.max(a.float32, b.float32),
    float16: a.float16 === null ? b.float16 : Math.max(a.float16, b.float16 ?? 0),
    copy: Math.max(a.copy, b.copy),
    loads: Math.max(a.loads, b.loads),
  };
}

/** Independent chains of multiply-adds; how many a processor needs to be busy differs. */
function arithmetic(scalar: "f32" | "f16", groups: number): Variant[] {
  const loops = 32;
  const forms = [
    (x: string) => `${x} = fma(${x}, m, c);`,
    (x: string) => `${x} = ${x} * m + c;`,
  ];
  const shapes = [[1, 8], [1, 16], [2, 8], [4, 4], [4, 8]] as const; // lanes of a vector, chains
  return forms.flatMap((form) =>
    shapes.map(([lanes, chains]) => {
      const type = lanes === 1 ? scalar : `vec${lanes}<${scalar}>`;
      const names = Array.from({ length: chains }, (_, i) => `x${i}`);
      const begin = names.map((x, i) => `var ${x} = ${type}(start + ${scalar}(${i}));`);
      const body = Array.from({ length: REPEAT }, () => names.map(form).join(" "));
      const sum = `${type}(0) + ${names.join(" + ")}`;
      const total = lanes === 1 ? sum : `dot(${sum}, ${type}(1))`;
      return {
        code: kernel(
          scalar,
          `let start = ${scalar}(source[lane & 3u].x);
          let m = ${type}(${scalar}(source[0].y));
          let c = ${type}(${scalar}(source[0].z));
          ${begin.join("\n")}
          for (var i = 0u; i < ${loops}u; i++) { ${body.join("\n")} }
          sink[at] = vec4f(f32(${total}));`,
        ),
        grid: [groups, 1, 1] as [number, number, number],
        bytes: [64, groups * GROUP * 16] as [number, number],
        work: groups * GROUP * loops * REPEAT * chains * lanes * 2,
      };
    })
  );
}

/** Each thread moves one vec4, or some that lie a whole dispatch apart. */
function copies(bytes: number): Variant[] {
  return [1, 4, 8].map((each) => {
    const groups = bytes / 16 / GROUP / each;
    const stride = groups * GROUP;
    const moves = Array.from(
      { length: each },
      (_, i) => `sink[at + ${i * stride}u] = source[at + ${i * stride}u];`,
    );
    return {
      code: kernel("f32", moves.join("\n")),
      grid: [Math.min(groups, 32768), Math.ceil(groups / 32768), 1],
      bytes: [bytes, bytes],
      work: 2 * bytes,
    };
  });
}

/** Neighbours read neighbours, all of them again and again within 16 KiB. */
function loads(groups: number): Variant[] {
  const loops = 32;
  return [4, 8].map((chains) => {
    const names = Array.from({ length: chains }, (_, i) => `x${i}`);
    const body = Array.from(
      { length: REPEAT },
      (_, r) => names.map((x, i) => `${x} += source[(place + ${r * 64 + i * 8}u) & 1023u];`),
    );
    return {
      code: kernel(
        "f32",
        `${names.map((x) => `var ${x} = vec4f();`).join(" ")}
        for (var i = 0u; i < ${loops}u; i++) {
          let place = lane + i * 37u;
          ${body.flat().join("\n")}
        }
        sink[at] = ${names.join(" + ")};`,
      ),
      grid: [groups, 1, 1],
      bytes: [16384, groups * GROUP * 16],
      work: groups * GROUP * loops * REPEAT * chains,
    };
  });
}

function kernel(scalar: "f32" | "f16", body: string): string {
  return `${scalar === "f16" ? "enable f16;" : ""}
    @group(0) @binding(0) var<storage, read> source: array<vec4f>;
    @group(0) @binding(1) var<storage, read_write> sink: array<vec4f>;
    @compute @workgroup_size(${GROUP})
    fn main(
      @builtin(workgroup_id) group: vec3u,
      @builtin(num_workgroups) groups: vec3u,
      @builtin(local_invocation_index) lane: u32,
    ) {
      let at = (group.y * groups.x + group.x) * ${GROUP}u + lane;
      ${body}
    }`;
}

/** The most that any variant does in a second. */
async function best(device: GPUDevice, variants: readonly Variant[]): Promise<number> {
  let most = 0;
  for (const variant of variants) most = Math.max(most, await rate(device, variant));
  return most;
}

async function rate(device: GPUDevice, { code, grid, bytes, work }: Variant): Promise<number> {
  const pipeline = device.createComputePipeline({
    layout: "auto",
    compute: { module: device.createShaderModule({ code }) },
  });
  const buffers = bytes.map((size) => device.createBuffer({ size, usage: 0x80 | 0x8 })); // STORAGE | COPY_DST
  device.queue.writeBuffer(buffers[0], 0, Float32Array.of(0.5, 0.999, 0.001, 0));
  const group = device.createBindGroup({
    layout: pipeline.getBindGroupLayout(0),
    entries: buffers.map((buffer, binding) => ({ binding, resource: { buffer } })),
  });
  const seconds = async (dispatches: number) => {
    const encoder = device.createCommandEncoder();
    using timer = stopwatch(device);
    const pass = encoder.beginComputePass(timer.pass);
    pass.setPipeline(pipeline);
    pass.setBindGroup(0, group);
    for (let i = 0; i < dispatches; i++) pass.dispatchWorkgroups(...grid);
    pass.end();
    return await timer.submit(encoder);
  };
  try {
    await seconds(1); // compiles
    const dispatches = Math.min(1000, Math.max(1, Math.ceil(SECONDS / await seconds(1))));
    let least = Infinity;
    for (let round = 0; round < ROUNDS; round++) {
      least = Math.min(least, await seconds(dispatches) / dispatches);
    }
    return work / least;
  } finally {
    for (const buffer of buffers) buffer.destroy();
  }
}

/** Times a pass by GPU timestamps where there are, else by the wall clock with its wait. */
interface Stopwatch extends Disposable {
  pass: GPUComputePassDescriptor;
  submit(encoder: GPUCommandEncoder): Promise<number>;
}

function stopwatch(device: GPUDevice): Stopwatch {
  if (!device.features.has("timestamp-query")) {
    return {
      pass: {},
      async submit(encoder) {
        const start = performance.now();
        device.queue.submit([encoder.finish()]);
        await device.queue.onSubmittedWorkDone();
        return (performance.now() - start) / 1000;
      },
      [Symbol.dispose]() {},
    };
  }
  const querySet = device.createQuerySet({ type: "timestamp", count: 2 });
  const resolved = device.createBuffer({ size: 16, usage: 0x200 | 0x4 }); // QUERY_RESOLVE | COPY_SRC
  const read = device.createBuffer({ size: 16, usage: 0x1 | 0x8 }); // MAP_READ | COPY_DST
  return {
    pass: {
      timestampWrites: { querySet, beginningOfPassWriteIndex: 0, endOfPassWriteIndex: 1 },
    },
    async submit(encoder) {
      encoder.resolveQuerySet(querySet, 0, 2, resolved, 0);
      encoder.copyBufferToBuffer(resolved, 0, read, 0, 16);
      device.queue.submit([encoder.finish()]);
      await read.mapAsync(1); // READ
      const [start, end] = new BigUint64Array(read.getMappedRange());
      return Number(end - start) * 1e-9;
    },
    [Symbol.dispose]() {
      querySet.destroy();
      resolved.destroy();
      read.destroy();
    },
  };
}
