/**
 * The machine's ceiling: the innermost loop of a matrix product and nothing else, written by hand in WebAssembly's text.
 * 4 rows by 2 vectors of sums stay in registers while K steps pass; everything read lies in the first-level cache.
 */
import binaryen from '../../www/node_modules/binaryen/index.js'

const ROWS = 4
const VECTORS = 2
const K = 256
/** Bytes: rows of x from 0 on, then the panel of weights, then the sums. */
const PANEL = ROWS * K * 4
const OUT = PANEL + K * VECTORS * 16
/** Floating-point operations of a tile: multiplications and additions. */
const FLOP = 2 * ROWS * VECTORS * 4 * K

const range = (length, text) => Array.from({ length }, (_, index) => text(index)).join('\n')
const sums = (text) => range(ROWS, (r) => range(VECTORS, (v) => text(`$sum${r}${v}`, r, v)))

/** sum += x w for each of the tile's vectors, in the way of the build. */
const step = (relaxed) => (sum, r, v) =>
  relaxed
    ? `(local.set ${sum} (f32x4.relaxed_madd (local.get $x${r}) (local.get $w${v}) (local.get ${sum})))`
    : `(local.set ${sum} (f32x4.add (local.get ${sum}) (f32x4.mul (local.get $x${r}) (local.get $w${v}))))`

const text = (relaxed) => `(module
  (memory 1)
  (global (export "flop") i32 (i32.const ${FLOP}))
  (func (export "run") (param $times i32) (local $k i32)
    ${sums((sum) => `(local ${sum} v128)`)}
    ${range(ROWS, (r) => `(local $x${r} v128)`)}
    ${range(VECTORS, (v) => `(local $w${v} v128)`)}
    (loop $tiles
      (local.set $k (i32.const 0))
      (loop $steps
        ${range(VECTORS, (v) => `(local.set $w${v} (v128.load offset=${PANEL + v * 16} (i32.mul (local.get $k) (i32.const ${VECTORS * 4}))))`)}
        ${range(ROWS, (r) => `(local.set $x${r} (v128.load32_splat offset=${r * K * 4} (local.get $k)))`)}
        ${sums(step(relaxed))}
        (local.set $k (i32.add (local.get $k) (i32.const 4)))
        (br_if $steps (i32.lt_u (local.get $k) (i32.const ${K * 4}))))
      ${sums((sum, r, v) => `(v128.store offset=${OUT + (r * VECTORS + v) * 16} (i32.const 0) (local.get ${sum}))`)}
      (local.set $times (i32.sub (local.get $times) (i32.const 1)))
      (br_if $tiles (local.get $times)))))`

/**
 * The module of a build: `run(times)` computes so many tiles of `flop` operations each.
 *
 * @param {'strict' | 'relaxed'} build
 */
export function ceilingModule(build) {
  const module = binaryen.parseText(text(build === 'relaxed'))
  module.setFeatures(binaryen.Features.SIMD128 | binaryen.Features.RelaxedSIMD)
  if (!module.validate()) throw new Error('the ceiling is no valid module')
  return module.emitBinary()
}
