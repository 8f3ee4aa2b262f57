import type { Gpu } from "../gpu/mod.ts";
import { Linear, normalWith, Parameters, type WeightSource } from "../nn/mod.ts";
import { add, affine, area, bicubic, gather, sub } from "../ops/mod.ts";
import { lessBicubic } from "../ops/resample.ts";
import { noGrad, share, type Tensor, zeros } from "../tensor/mod.ts";
import type { Assigner } from "./assignment.ts";
import { CodaEncoder } from "./coda_encoder.ts";
import { ComposedAssigner } from "./composed.ts";
import { codebookView } from "./codebook_view.ts";
import type { CodaQuantizerConfig } from "./config.ts";
import { type Grid, gridsFor } from "./grids.ts";
import { meanOf } from "./mean_of.ts";
import { pathFor } from "./path.ts";
import { normLayer, Projection } from "./projection.ts";
import {
  checkLatent,
  checkScales,
  type EncodedScale,
  type Quantized,
  type Quantizer,
} from "./quantizer.ts";
import { StreamedAssigner } from "./streaming/assigner.ts";
import { project, suitsProject } from "./streaming/project.ts";
import { vqLoss } from "./vq_loss.ts";

/**
 * CODA's attention quantizer (arXiv 2503.17760; SPEC section 3). A latent is assigned to a code by
 * softmax attention to the codebook, hardened to one code with a straight-through gradient; scale by
 * scale, coarse to fine, each quantizes what those before it left over.
 *
 * Parameters carry the official names: `codebooks.weight`, `attn.to_{q,k,v}.{weight,bias}`,
 * `attn.norm_{q,k}.*`.
 */
export class CodaQuantizer implements Quantizer {
  /** Its shape. */
  readonly config: CodaQuantizerConfig;
  /** Its parameters by official key. */
  readonly parameters: Parameters;
  #codebook: Tensor;
  #queries: Projection;
  #keys: Projection;
  #values: Projection;

  /** Declares the parameters; they are undefined until loaded or initialised. */
  constructor(gpu: Gpu, config: CodaQuantizerConfig) {
    const { channels, attentionDim, codebookSize, norm } = config;
    this.config = config;
    this.parameters = new Parameters(gpu);
    this.#codebook = this.parameters.declare("codebooks.weight", [codebookSize, channels], {
      initialize: normalWith(1),
    });
    const attn = this.parameters.at("attn");
    const toQ = new Linear(attn.at("to_q"), channels, attentionDim);
    const toK = new Linear(attn.at("to_k"), channels, attentionDim);
    this.#values = new Projection(new Linear(attn.at("to_v"), channels, channels));
    this.#queries = new Projection(toQ, normLayer(attn.at("norm_q"), norm, attentionDim));
    this.#keys = new Projection(toK, normLayer(attn.at("norm_k"), norm, attentionDim));
  }

  /** Builds the quantizer and reads its weights. */
  static async load(
    gpu: Gpu,
    config: CodaQuantizerConfig,
    source: WeightSource,
  ): Promise<CodaQuantizer> {
    const quantizer = new CodaQuantizer(gpu, config);
    try {
      await quantizer.parameters.load(source);
      return quantizer;
    } catch (error) {
      quantizer[Symbol.dispose]();
      throw error;
    }
  }

  /** The grids of a latent of this size. */
  gridsFor(height: number, width: number): Grid[] {
    return gridsFor(this.config.patchSizes, height, width);
  }

  /**
   * Quantizes a scaled latent [B, H, W, c] for training: with both losses and the straight-through
   * gradient.
   */
  forward(f: Tensor): Required<Quantized> {
    checkLatent(f, this.config);
    using scope = f.gpu.scope();
    const [images, height, width] = f.shape;
    const grids = this.gridsFor(height, width);
    const assigner = this.#assigner(grids.map((grid) => images * grid.height * grid.width));
    const indices: Tensor[] = [];
    const vqLosses: Tensor[] = [];
    let residual = f;
    let fHat: Tensor | undefined;
    for (const grid of grids) {
      const r = area(residual, grid);
      const { index, hard, zHat } = assigner.assign(this.#query(r));
      const h = bicubic(zHat, { height, width });
      fHat = fHat ? add(fHat, h) : h;
      residual = sub(residual, h);
      indices.push(index);
      vqLosses.push(vqLoss(zHat, hard, r, this.config.beta));
    }
    return {
      fHat: scope.keep(fHat!),
      vqLoss: scope.keep(meanOf(vqLosses)),
      entropyLoss: scope.keep(assigner.entropyLoss()),
      indices: indices.map((index) => scope.keep(index)),
    };
  }

  /** The codes of a scaled latent [B, H, W, c]: for each scale u32 [B, h, w], without gradients. */
  encode(f: Tensor): Tensor[] {
    using encoder = this.encoder();
    return encoder.encode(f);
  }

  /**
   * The same codes with their margins: how far the second largest logit lies below the largest, so how
   * much rounding a code can bear.
   *
   * @throws {RangeError} where d is no multiple of 4, or above 32.
   */
  encodeWithMargins(f: Tensor, given?: readonly Tensor[]): EncodedScale[] {
    using encoder = this.encoder();
    return encoder.encodeWithMargins(f, given);
  }

  /**
   * Makes the keys of the codebook once, to encode any number of latents: the same codes as from
   * {@link encode}, which makes them at each call. The keys are of the parameters as they are now, so
   * that behind a training step or `parameters.load` an encoder is to be made anew. It is the caller's to
   * dispose, whatever scope it is made in.
   */
  encoder(): CodaEncoder {
    using _scope = this.parameters.gpu.scope();
    return new CodaEncoder({
      config: this.config,
      keys: share(this.keys()),
      queriesOf: (r) => this.#isProjected() ? this.#projectedQuery(r) : this.#query(r),
      leftOver: (residual, index) => this.#leftOver(residual, index),
    });
  }

  /**
   * The latent of codes: the sum over scales of bicubic(V[i]), [B, H, W, c]. Fewer indices than the
   * grid has scales give a valid, coarser latent.
   *
   * @throws {RangeError} where there are more of them than scales.
   */
  decode(indices: readonly Tensor[], { height, width }: Grid): Tensor {
    checkScales(indices, this.config);
    const { gpu } = this.parameters;
    using scope = gpu.scope();
    let fHat = zeros(gpu, [indices[0]?.shape[0] ?? 1, height, width, this.config.channels]);
    for (const index of indices) {
      fHat = add(fHat, bicubic(this.#valuesOf(index), { height, width }));
    }
    return scope.keep(fHat);
  }

  /** The keys of all codes, [V, d], without gradients. */
  keys(): Tensor {
    using scope = this.parameters.gpu.scope();
    const make = () =>
      this.#isProjected()
        ? project(this.#codebook, this.#keys)
        : this.#keys.forward(this.#codebook);
    return scope.keep(noGrad(make));
  }

  /** Frees the parameters. */
  [Symbol.dispose](): void {
    this.parameters[Symbol.dispose]();
  }

  /** For scales of so many tokens. */
  #assigner(counts: readonly number[]): Assigner {
    const [keys, values] = [this.#keys, this.#values].map((map) =>
      codebookView(this.#codebook, map)
    );
    return pathFor("train", this.config) === "streamed"
      ? new StreamedAssigner({ keys, values }, counts)
      : new ComposedAssigner({ keys, values });
  }

  /** Whether an encode of the streamed path makes each scale's queries and what it leaves in few dispatches. */
  #isProjected(): boolean {
    return suitsProject(this.parameters.gpu) && pathFor("encode", this.config) === "streamed";
  }

  /** What the values of a scale's codes leave of the residual. */
  #leftOver(residual: Tensor, index: Tensor): Tensor {
    const [, height, width] = residual.shape;
    return this.#isProjected()
      ? lessBicubic(residual, project(this.#codebook, this.#values, { index }))
      : sub(residual, bicubic(this.#valuesOf(index), { height, width }));
  }

  /** The values of chosen codes: the same bits as those rows of all values, for far less work. */
  #valuesOf(index: Tensor): Tensor {
    return this.#values.forward(gather(this.#codebook, index));
  }

  /** Q / √d, so that its products with keys are the logits. */
  #query(r: Tensor): Tensor {
    return affine(this.#queries.forward(r), this.#scale, 0);
  }

  /** The same in one dispatch. */
  #projectedQuery(r: Tensor): Tensor {
    return project(r, this.#queries, { scale: this.#scale });
  }

  get #scale(): number {
    return 1 / Math.sqrt(this.config.attentionDim);
  }
}
