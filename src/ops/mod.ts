/**
 * The operations: each file holds one, with its check, its forward and its gradient.
 *
 * @module
 */
