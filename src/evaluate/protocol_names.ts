/** A protocol by which a tokenizer is measured (SPEC section 7). */
export type ProtocolName = "center-256" | "coda-official" | "original";

/** All of them. */
export const PROTOCOL_NAMES: readonly ProtocolName[] = ["center-256", "coda-official", "original"];
