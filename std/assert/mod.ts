// deno-lint-ignore no-import-prefix -- the linked package has this one dependency
import * as npm from "npm:deno-std@1.4.0/assert/mod.js";

/** Any class. */
type Class<T> = abstract new (...args: never[]) => T;

/** What a failed assertion throws. */
export const AssertionError: new (message: string, options?: ErrorOptions) => Error =
  npm.AssertionError;
/** Fails unless `expr` is truthy. */
export const assert: (expr: unknown, msg?: string) => asserts expr = npm.assert;
/** Fails unless `expr` is falsy. */
export const assertFalse: (expr: unknown, msg?: string) => asserts expr is false = npm.assertFalse;
/** Whether two values are deeply equal. */
export const equal: (a: unknown, b: unknown) => boolean = npm.equal;
/** Fails unless the values are deeply equal. */
export const assertEquals: <T>(actual: T, expected: T, msg?: string) => void = npm.assertEquals;
/** Fails if the values are deeply equal. */
export const assertNotEquals: <T>(actual: T, expected: T, msg?: string) => void =
  npm.assertNotEquals;
/** Fails unless `Object.is(actual, expected)`. */
export const assertStrictEquals: <T>(
  actual: unknown,
  expected: T,
  msg?: string,
) => asserts actual is T = npm.assertStrictEquals;
/** Fails if `Object.is(actual, expected)`. */
export const assertNotStrictEquals: <T>(actual: T, expected: T, msg?: string) => void =
  npm.assertNotStrictEquals;
/** Fails unless the numbers differ by no more than `tolerance`. */
export const assertAlmostEquals: (
  actual: number,
  expected: number,
  tolerance?: number,
  msg?: string,
) => void = npm.assertAlmostEquals;
/** Fails unless `actual > expected`. */
export const assertGreater: <T>(actual: T, expected: T, msg?: string) => void = npm.assertGreater;
/** Fails unless `actual >= expected`. */
export const assertGreaterOrEqual: <T>(actual: T, expected: T, msg?: string) => void =
  npm.assertGreaterOrEqual;
/** Fails unless `actual < expected`. */
export const assertLess: <T>(actual: T, expected: T, msg?: string) => void = npm.assertLess;
/** Fails unless `actual <= expected`. */
export const assertLessOrEqual: <T>(actual: T, expected: T, msg?: string) => void =
  npm.assertLessOrEqual;
/** Fails if the value is null or undefined. */
export const assertExists: <T>(actual: T, msg?: string) => asserts actual is NonNullable<T> =
  npm.assertExists;
/** Fails unless the value is an instance of the class. */
export const assertInstanceOf: <C extends Class<unknown>>(
  actual: unknown,
  expectedType: C,
  msg?: string,
) => asserts actual is C extends Class<infer T> ? T : never = npm.assertInstanceOf;
/** Fails if the value is an instance of the class. */
export const assertNotInstanceOf: <A, T>(
  actual: A,
  unexpectedType: Class<T>,
  msg?: string,
) => asserts actual is Exclude<A, T> = npm.assertNotInstanceOf;
/** Fails unless the value is an error, of that class and with that text where they are given. */
export const assertIsError: <E extends Error = Error>(
  error: unknown,
  ErrorClass?: Class<E>,
  msgMatches?: string | RegExp,
  msg?: string,
) => asserts error is E = npm.assertIsError;
/** Fails unless the text holds the part. */
export const assertStringIncludes: (actual: string, expected: string, msg?: string) => void =
  npm.assertStringIncludes;
/** Fails unless the array holds all the values. */
export const assertArrayIncludes: <T>(
  actual: ArrayLike<T> & object,
  expected: ArrayLike<T> & object,
  msg?: string,
) => void = npm.assertArrayIncludes;
/** Fails unless the text matches. */
export const assertMatch: (actual: string, expected: RegExp, msg?: string) => void =
  npm.assertMatch;
/** Fails if the text matches. */
export const assertNotMatch: (actual: string, expected: RegExp, msg?: string) => void =
  npm.assertNotMatch;
/** Fails unless `actual` has everything, deeply, that `expected` has. */
export const assertObjectMatch: (
  actual: Record<PropertyKey, unknown>,
  expected: Record<PropertyKey, unknown>,
  msg?: string,
) => void = npm.assertObjectMatch;
/** Fails unless the function throws, an error of that class where it is given; returns the error. */
export const assertThrows: {
  (fn: () => unknown, msg?: string): unknown;
  <E extends Error = Error>(
    fn: () => unknown,
    ErrorClass: Class<E>,
    msgIncludes?: string,
    msg?: string,
  ): E;
} = npm.assertThrows;
/** Fails unless the promise rejects, with an error of that class where it is given. */
export const assertRejects: {
  (fn: () => PromiseLike<unknown>, msg?: string): Promise<unknown>;
  <E extends Error = Error>(
    fn: () => PromiseLike<unknown>,
    ErrorClass: Class<E>,
    msgIncludes?: string,
    msg?: string,
  ): Promise<E>;
} = npm.assertRejects;
/** Fails. */
export const fail: (msg?: string) => never = npm.fail;
/** Fails: this line was not to be reached. */
export const unreachable: (reason?: string) => never = npm.unreachable;
