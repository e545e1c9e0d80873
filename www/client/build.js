/**
 * The two builds of the engine. The strict one gives the same bits on every machine; the relaxed one may fuse a
 * multiplication with the addition that follows, which is faster and as exact, but differs in the last digits.
 *
 * @typedef {'strict' | 'relaxed'} Build
 */

/** The smallest module with a relaxed instruction in it: one function, (a, b, c) -> f32x4.relaxed_madd(a, b, c). */
const RELAXED_MADD = Uint8Array.of(
  ...[0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0], // '\0asm', version 1
  ...[1, 8, 1, 0x60, 3, 0x7b, 0x7b, 0x7b, 1, 0x7b], // types: three vectors to one
  ...[3, 2, 1, 0], // functions: one of that type
  ...[10, 13, 1, 11, 0, 0x20, 0, 0x20, 1, 0x20, 2, 0xfd, 0x85, 0x02, 0x0b], // code
)

/**
 * The build to run: the fastest that this browser has, unless the same bits as everywhere are asked for.
 *
 * @param {boolean} deterministic
 * @returns {Build}
 */
export function chooseBuild(deterministic) {
  return !deterministic && WebAssembly.validate(RELAXED_MADD) ? 'relaxed' : 'strict'
}

/** @param {Build} build */
export function wasmAddress(build) {
  return build === 'relaxed'
    ? new URL('../pkg/convlet_relaxed_bg.wasm', import.meta.url)
    : new URL('../pkg/convlet_bg.wasm', import.meta.url)
}
