/** ONNX Runtime on wasm: SIMD, one thread. */
import { images, SIDE } from '../network.js'
import { packaged } from './script.js'

/** @param {Uint8Array} file the network in ONNX */
export async function load(file) {
  const ort = await import(packaged('onnxruntime-web/dist/ort.wasm.min.mjs'))
  ort.env.wasm.wasmPaths = packaged('onnxruntime-web/dist/')
  ort.env.wasm.numThreads = 1
  const session = await ort.InferenceSession.create(file, { executionProviders: ['wasm'] })
  const [input] = session.inputNames
  const [output] = session.outputNames
  return {
    predictor(n) {
      const feeds = { [input]: new ort.Tensor('float32', channelsFirst(images(n), n), [n, 3, SIDE, SIDE]) }
      return async () => (await session.run(feeds))[output].data
    },
  }
}

/** (n, h, w, c) to (n, c, h, w). */
function channelsFirst(x, n) {
  const area = SIDE * SIDE
  return Float32Array.from({ length: n * 3 * area }, (_, to) => {
    const [image, c, pixel] = [Math.floor(to / area / 3), Math.floor(to / area) % 3, to % area]
    return x[(image * area + pixel) * 3 + c]
  })
}
