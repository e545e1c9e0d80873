/** Convlet, without the worker that a page runs it in: the others have none. */
import { frame, images, targets } from '../network.js'

const FILES = { strict: 'convlet_bg.wasm', relaxed: 'convlet_relaxed_bg.wasm' }
const pkg = new URL('../../../www/pkg/', import.meta.url)
/** Each instance has a script of its own. */
let instances = 0

/**
 * @param {'strict' | 'relaxed'} build
 * @param {Uint8Array} model
 */
export async function load(build, model) {
  const { default: init, Network } = await import(new URL(`convlet.js?${++instances}`, pkg).href)
  const { memory } = await init({ module_or_path: new URL(FILES[build], pkg) })
  const network = Network.fromBytes(model, 'article')
  return {
    network,
    /** Bytes of wasm memory. */
    memory: () => memory.buffer.byteLength,
    predictor(n) {
      const x = images(n)
      return () => network.predict(x, n)
    },
    trainer(n) {
      const [x, y] = [images(n), targets(n)]
      return () => network.trainOnBatch(x, y).loss
    },
    /** A camera's frame to probabilities. */
    classifier(width, height) {
      const rgba = frame(width, height)
      return () => {
        const pointer = network.pixels(width, height)
        new Uint8ClampedArray(memory.buffer, pointer, rgba.length).set(rgba)
        return network.classifyPixels(width, height)
      }
    },
  }
}
