import type { Parameters } from "../nn/mod.ts";
import type { Tensor } from "../tensor/mod.ts";
import { AdamW, type AdamWOptions, type AdamWStep } from "./adamw.ts";
import { Ema } from "./ema.ts";

/** Parameters with their optimizer and their moving average. */
export class TrainedSet implements Disposable {
  /** Its name in the run's files: "quantizer" or "lora". */
  readonly name: string;
  /** What is trained. */
  readonly parameters: Parameters;
  /** How. */
  readonly optimizer: AdamW;
  /** The average of it over the run. */
  readonly ema: Ema;

  /** Makes leaves of the parameters, which have their values already. */
  constructor(name: string, parameters: Parameters, options: AdamWOptions) {
    for (const { tensor } of parameters) tensor.requireGrad();
    this.name = name;
    this.parameters = parameters;
    this.optimizer = new AdamW(parameters, options);
    this.ema = new Ema(parameters);
  }

  /** The parameters' tensors, in order. */
  get tensors(): Tensor[] {
    return [...this.parameters].map(({ tensor }) => tensor);
  }

  /** One step of the optimizer, then of the average. */
  step(gradients: readonly Tensor[], options: AdamWStep, emaRatio: number): void {
    this.optimizer.step(gradients, options);
    this.ema.update(emaRatio);
  }

  /** Everything that resuming needs, by its name in training.safetensors. */
  get state(): { readonly prefix: string; readonly parameters: Parameters }[] {
    const { name, parameters, optimizer, ema } = this;
    return [
      { prefix: `${name}.`, parameters },
      { prefix: `ema.${name}.`, parameters: ema.average },
      { prefix: `first.${name}.`, parameters: optimizer.first },
      { prefix: `second.${name}.`, parameters: optimizer.second },
    ];
  }

  /** Frees optimizer and average; the parameters stay with their model. */
  [Symbol.dispose](): void {
    this.optimizer[Symbol.dispose]();
    this.ema[Symbol.dispose]();
  }
}
