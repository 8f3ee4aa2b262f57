import type { Parameters } from "../nn/mod.ts";
import type { Tensor } from "../tensor/mod.ts";
import { AdamW, type AdamWOptions, type AdamWRates } from "./adamw.ts";
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

  /** The parameters' names in messages and in the run's files, in order. */
  get names(): string[] {
    return [...this.parameters].map(({ name }) => `${this.name}.${name}`);
  }

  /** Tells the GPU the numbers of the next step; before anything of the step is dispatched. */
  prepare(rates: AdamWRates): void {
    this.optimizer.prepare(rates);
  }

  /** The dispatches of a step of optimizer and average; the same each time. */
  apply(gradients: readonly Tensor[], coefficient: Tensor): void {
    this.optimizer.apply(gradients, { coefficient, ema: this.ema });
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
