/**
 * The two builds of the engine. The strict one gives the same bits on every machine; the relaxed one may fuse a
 * multiplication with the addition that follows, which is faster and as exact, but differs in the last digits.
 *
 * There is the whole engine, and the part of it that classifies, half as large: who only classifies fetches no more.
 *
 * @typedef {'strict' | 'relaxed'} Build
 * @typedef {'classifier' | 'whole'} Part
 * @typedef {string | URL | BufferSource | WebAssembly.Module} WasmSource an address, the file's bytes, or compiled already
 * @typedef {Partial<Record<Build, WasmSource>>} Builds
 */
import { ConvletError, messageOf } from './errors.js'
import { within } from './within.js'

/** Milliseconds that the engine's code may take to come, on however slow a line. */
const PATIENCE = 120_000

/** The smallest module with a relaxed instruction in it: one function, (a, b, c) -> f32x4.relaxed_madd(a, b, c). */
const RELAXED_MADD = Uint8Array.of(
  ...[0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0], // '\0asm', version 1
  ...[1, 8, 1, 0x60, 3, 0x7b, 0x7b, 0x7b, 1, 0x7b], // types: three vectors to one
  ...[3, 2, 1, 0], // functions: one of that type
  ...[10, 13, 1, 11, 0, 0x20, 0, 0x20, 1, 0x20, 2, 0xfd, 0x85, 0x02, 0x0b], // code
)

/** Likewise with a vector in it: one function, (a) -> a. */
const SIMD = Uint8Array.of(
  ...[0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
  ...[1, 6, 1, 0x60, 1, 0x7b, 1, 0x7b],
  ...[3, 2, 1, 0],
  ...[10, 6, 1, 4, 0, 0x20, 0, 0x0b],
)

/**
 * The build to run: the fastest that this browser has, unless the same bits as everywhere are asked for.
 *
 * @param {boolean} deterministic
 * @returns {Build}
 */
export function chooseBuild(deterministic) {
  const { whole, classifier } = sources
  const relaxed = whole.relaxed || (!whole.strict && (classifier.relaxed || !classifier.strict))
  return relaxed && !deterministic && validates(RELAXED_MADD) ? 'relaxed' : 'strict'
}

/** @param {BufferSource} module */
const validates = (module) => typeof WebAssembly === 'object' && WebAssembly.validate(module)

/** What this browser lacks to run any build, in words. */
function lackOf() {
  if (typeof WebAssembly !== 'object')
    return 'the engine cannot run: this browser has no WebAssembly, or was told to do without it'
  return validates(SIMD)
    ? undefined
    : 'the engine cannot run: this browser’s WebAssembly has no vectors (simd128); those since Chromium 91, Firefox 89 and Safari 16.4 have'
}

/**
 * The part of the engine to run: no more than is needed, and the whole where only that has been set.
 *
 * @param {Build} build
 * @param {boolean} whole whether all of it is needed
 * @returns {Part}
 */
export function choosePart(build, whole) {
  const beside = !sources.whole.strict && !sources.whole.relaxed
  return !whole && (beside || sources.classifier[build]) ? 'classifier' : 'whole'
}

/** What the page has set in place of the files beside this one. @type {Record<Part, Builds>} */
const sources = { classifier: {}, whole: {} }

/**
 * The engine's code, compiled once a page however many workers it goes through.
 *
 * @type {Map<string, Promise<WebAssembly.Module>>}
 */
const compiled = new Map()

/**
 * Says where the engine's code is, for whoever keeps it apart from the scripts; to be called before the first model is
 * loaded. Where only the strict build is set, it serves all; so does the whole engine without its part.
 *
 * @param {Builds & { classifier?: Builds }} wasm `classifier`: the part that classifies
 */
export function setWasm({ strict, relaxed, classifier = {} }) {
  if (compiled.size > 0) throw new ConvletError('argument', 'setWasm: the engine has been started already')
  Object.assign(sources, { classifier: { ...classifier }, whole: { strict, relaxed } })
}

/**
 * @param {Build} build
 * @param {Part} part
 */
export function compileEngine(build, part) {
  const lack = lackOf()
  if (lack) return Promise.reject(new ConvletError('engine', lack))
  const name = `${build} ${part}`
  let compiling = compiled.get(name)
  if (!compiling) {
    const slow = () => new Error(`it did not come within ${PATIENCE / 1000} seconds`)
    compiling = within(PATIENCE, compile(sources[part][build] ?? wasmAddress(build, part)), slow).catch((thrown) => {
      compiled.delete(name)
      throw new ConvletError('engine', `the engine cannot be loaded: ${messageOf(thrown)}`, { cause: thrown })
    })
    compiled.set(name, compiling)
  }
  return compiling
}

/**
 * Bundlers find files by addresses spelled out.
 *
 * @param {Build} build
 * @param {Part} part
 */
function wasmAddress(build, part) {
  if (part === 'classifier')
    return build === 'relaxed'
      ? new URL('../pkg/classifier_relaxed_bg.wasm', import.meta.url)
      : new URL('../pkg/classifier_bg.wasm', import.meta.url)
  return build === 'relaxed'
    ? new URL('../pkg/convlet_relaxed_bg.wasm', import.meta.url)
    : new URL('../pkg/convlet_bg.wasm', import.meta.url)
}

/**
 * @param {WasmSource} source
 */
async function compile(source) {
  if (source instanceof WebAssembly.Module) return source
  if (typeof source !== 'string' && !(source instanceof URL)) return WebAssembly.compile(source)
  // Node fetches no files. Asked for in this way, its modules are none of a bundler's business.
  const { process } = /** @type {any} */ (globalThis)
  if (process?.getBuiltinModule && String(source).startsWith('file:'))
    return WebAssembly.compile(await process.getBuiltinModule('node:fs').promises.readFile(new URL(source)))
  const response = await fetch(source)
  if (!response.ok) throw new Error(`the server answered ${response.status}`)
  // A host that sends another type than application/wasm is no reason to fail: only streaming needs it.
  return response.headers.get('content-type') === 'application/wasm'
    ? WebAssembly.compileStreaming(response)
    : WebAssembly.compile(await response.arrayBuffer())
}
