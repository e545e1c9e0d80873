/** TensorFlow.js on its wasm backend: SIMD, one thread. */
import { images, LAYERS, readSafetensors, SIDE } from '../network.js'
import { packaged, runScript } from './script.js'

const CONSTRUCTORS = { Conv2D: 'conv2d', MaxPooling2D: 'maxPooling2d', Flatten: 'flatten', Dense: 'dense' }

/** @param {Uint8Array} file the model file */
export async function load(file) {
  await runScript('@tensorflow/tfjs/dist/tf.min.js')
  await runScript('@tensorflow/tfjs-backend-wasm/dist/tf-backend-wasm.min.js')
  const { tf } = globalThis
  tf.wasm.setWasmPaths(packaged('@tensorflow/tfjs-backend-wasm/dist/'))
  tf.wasm.setThreadsCount(1)
  await tf.setBackend('wasm')
  await tf.ready()
  if (tf.getBackend() !== 'wasm') throw new Error(`TensorFlow.js runs on ${tf.getBackend()}`)
  if (!(await tf.env().getAsync('WASM_HAS_SIMD_SUPPORT'))) throw new Error('TensorFlow.js runs without SIMD')

  const model = tf.sequential()
  for (const [index, { class_name, name, activation, ...config }] of LAYERS.entries()) {
    const { filters, units, kernel_size: kernelSize, pool_size: poolSize, strides } = config
    const inputShape = index === 0 ? [SIDE, SIDE, 3] : undefined
    model.add(
      tf.layers[CONSTRUCTORS[class_name]]({ name, activation, filters, units, kernelSize, poolSize, strides, inputShape }),
    )
  }
  const tensors = readSafetensors(file)
  const weight = (name) => tf.tensor(tensors[name].values, tensors[name].shape)
  for (const layer of model.layers)
    if (layer.weights.length) layer.setWeights([weight(`${layer.name}/kernel`), weight(`${layer.name}/bias`)])

  return {
    predictor(n) {
      const x = tf.tensor(images(n), [n, SIDE, SIDE, 3])
      return () => {
        const y = model.predictOnBatch(x)
        const values = y.dataSync()
        y.dispose()
        return values
      }
    },
  }
}
