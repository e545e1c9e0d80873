/** In a frame of its own: one engine, from navigation to its first prediction. Convlet as its users get it, in a worker. */
const engine = new URLSearchParams(location.search).get('engine')
const bytes = async (path) => new Uint8Array(await (await fetch(path)).arrayBuffer())

const first = {
  async convlet(deterministic) {
    const { Classifier } = await import('../../www/client/convlet.js')
    const classifier = await Classifier.load('article.safetensors', { deterministic })
    await classifier.classify(new ImageData(64, 64))
  },
  async tensorflow() {
    const [model, { load }] = await Promise.all([bytes('article.safetensors'), import('./engines/tensorflow.js')])
    ;(await load(model)).predictor(1)()
  },
  async onnxruntime() {
    const [model, { load }] = await Promise.all([bytes('article.onnx'), import('./engines/onnxruntime.js')])
    await (await load(model)).predictor(1)()
  },
  async convnetjs() {
    const [model, { load }] = await Promise.all([bytes('article.safetensors'), import('./engines/convnetjs.js')])
    ;(await load(model)).predictor(1)()
  },
}
const begin = {
  'Convlet strict': () => first.convlet(true),
  'Convlet relaxed': () => first.convlet(false),
  'TensorFlow.js': first.tensorflow,
  'ONNX Runtime': first.onnxruntime,
  ConvNetJS: first.convnetjs,
}
begin[engine]().then(
  () => parent.postMessage({ milliseconds: performance.now() }),
  (thrown) => parent.postMessage({ error: String(thrown) }),
)
