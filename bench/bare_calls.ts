/** Calls of WebGPU that give commands, without whoever made them. */
export interface BareCalls {
  /** How many dispatches there are. */
  readonly dispatches: number;
  /** Makes them again. */
  again(): void;
}

/** What calls are made on, as the calls before them left it. */
interface Open {
  encoder: GPUCommandEncoder;
  pass: GPUComputePassEncoder;
  commands: GPUCommandBuffer;
}

/** One call. */
type Step = (open: Open) => void;

/** The way to bind that the library uses, of several that there are. */
type SetBindGroup = (
  this: GPUComputePassEncoder,
  index: number,
  group: GPUBindGroup | null,
  offsets: Uint32Array<ArrayBuffer>,
  at: number,
  count: number,
) => void;

/**
 * Does some work, and keeps its calls that encode, finish and submit commands. Made again one after
 * another they show what no library can go below that gives these commands.
 */
export function bareCalls(work: () => void): BareCalls {
  const steps: Step[] = [];
  const dispatched = { count: 0 };
  const restore = [tapQueue(steps), tapEncoder(steps), tapPass(steps, dispatched)];
  try {
    work();
  } finally {
    restore.forEach((restored) => restored());
  }
  const again = () => {
    const open = {} as Open; // each step finds what a step before it put there
    for (const step of steps) step(open);
  };
  return { dispatches: dispatched.count, again };
}

function tapQueue(steps: Step[]): () => void {
  const { createCommandEncoder } = GPUDevice.prototype;
  const { submit } = GPUQueue.prototype;
  GPUDevice.prototype.createCommandEncoder = function (descriptor) {
    steps.push((open) => open.encoder = this.createCommandEncoder(descriptor));
    return createCommandEncoder.call(this, descriptor);
  };
  GPUQueue.prototype.submit = function (commands) {
    steps.push(({ commands }) => this.submit([commands]));
    submit.call(this, commands);
  };
  return () => {
    Object.assign(GPUDevice.prototype, { createCommandEncoder });
    Object.assign(GPUQueue.prototype, { submit });
  };
}

function tapEncoder(steps: Step[]): () => void {
  const { prototype } = GPUCommandEncoder;
  const { beginComputePass, copyBufferToBuffer, clearBuffer, finish } = prototype;
  prototype.beginComputePass = function (descriptor) {
    steps.push((open) => open.pass = open.encoder.beginComputePass(descriptor));
    return beginComputePass.call(this, descriptor);
  };
  prototype.copyBufferToBuffer = function (...args: Parameters<typeof copyBufferToBuffer>) {
    steps.push(({ encoder }) => encoder.copyBufferToBuffer(...args));
    copyBufferToBuffer.apply(this, args);
  };
  prototype.clearBuffer = function (buffer, offset, size) {
    steps.push(({ encoder }) => encoder.clearBuffer(buffer, offset, size));
    clearBuffer.call(this, buffer, offset, size);
  };
  prototype.finish = function (descriptor) {
    steps.push((open) => open.commands = open.encoder.finish(descriptor));
    return finish.call(this, descriptor);
  };
  return () =>
    Object.assign(prototype, { beginComputePass, copyBufferToBuffer, clearBuffer, finish });
}

function tapPass(steps: Step[], dispatched: { count: number }): () => void {
  const { prototype } = GPUComputePassEncoder;
  const { setPipeline, setBindGroup, dispatchWorkgroups, end } = prototype;
  prototype.setPipeline = function (pipeline) {
    steps.push(({ pass }) => pass.setPipeline(pipeline));
    setPipeline.call(this, pipeline);
  };
  const tapped: SetBindGroup = function (index, group, offsets, at, count) {
    steps.push(({ pass }) => pass.setBindGroup(index, group, offsets, at, count));
    setBindGroup.call(this, index, group, offsets, at, count);
  };
  Object.assign(prototype, { setBindGroup: tapped });
  prototype.dispatchWorkgroups = function (x, y, z) {
    dispatched.count++;
    steps.push(({ pass }) => pass.dispatchWorkgroups(x, y, z));
    dispatchWorkgroups.call(this, x, y, z);
  };
  prototype.end = function () {
    steps.push(({ pass }) => pass.end());
    end.call(this);
  };
  return () => Object.assign(prototype, { setPipeline, setBindGroup, dispatchWorkgroups, end });
}
