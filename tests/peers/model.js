/** The network that all engines run, with the same weights: as Convlet's file, and as ONNX. */
import { readFileSync } from 'node:fs'
import onnxProto from 'onnx-proto'
import { FLATTENED, LAYERS, SIDE, readSafetensors } from './network.js'

const { onnx } = onnxProto
const SEED = 7
const pkg = new URL('../../www/pkg/', import.meta.url)

/** The network's model file, its weights drawn from the seed. */
export async function modelFile() {
  const { initSync, Network } = await import(new URL('convlet.js', pkg).href)
  initSync({ module: readFileSync(new URL('convlet_bg.wasm', pkg)) })
  const layers = [{ class_name: 'InputLayer', config: { name: 'input', batch_shape: [null, SIDE, SIDE, 3] } }]
  for (const { class_name, ...config } of LAYERS) layers.push({ class_name, config })
  const architecture = { class_name: 'Sequential', config: { name: 'article', layers } }
  return Network.fromArchitecture(JSON.stringify(architecture), SEED).save()
}

/** `values` of the given shape with its axes in another order. */
function transpose(values, shape, order) {
  const strides = shape.map((_, axis) => shape.slice(axis + 1).reduce((a, b) => a * b, 1))
  const out = new Float32Array(values.length)
  const index = order.map(() => 0)
  for (let to = 0; to < out.length; to++) {
    out[to] = values[index.reduce((from, i, axis) => from + i * strides[order[axis]], 0)]
    for (let axis = order.length - 1; axis >= 0 && ++index[axis] === shape[order[axis]]; axis--) index[axis] = 0
  }
  return out
}

/**
 * The same network in ONNX, whose tensors are (n, c, h, w) and whose kernels (oc, c, kh, kw).
 *
 * @param {Uint8Array} file the model file
 */
export function onnxFile(file) {
  const { AttributeType } = onnx.AttributeProto
  const weights = readSafetensors(file)
  const nodes = []
  const initializer = []
  let current = 'input'

  const constant = (name, dims, values) => {
    const rawData = new Uint8Array(values.buffer, values.byteOffset, values.byteLength)
    initializer.push({ name, dims, rawData, dataType: onnx.TensorProto.DataType.FLOAT })
    return name
  }
  const node = (opType, output, inputs = [], attributes = {}) => {
    const attribute = Object.entries(attributes).map(([name, ints]) => ({ name, ints, type: AttributeType.INTS }))
    nodes.push({ opType, name: output, input: [current, ...inputs], output: [output], attribute })
    current = output
  }
  const activate = (name, activation) => {
    if (activation) node({ relu: 'Relu', sigmoid: 'Sigmoid' }[activation], `${name}/${activation}`)
  }

  for (const { class_name, name, activation } of LAYERS) {
    if (class_name === 'MaxPooling2D') node('MaxPool', name, [], { kernel_shape: [2, 2], strides: [2, 2] })
    if (class_name === 'Flatten') node('Flatten', name)
    if (class_name !== 'Conv2D' && class_name !== 'Dense') continue
    const { shape, values } = weights[`${name}/kernel`]
    const bias = constant(`${name}/bias`, weights[`${name}/bias`].shape, weights[`${name}/bias`].values)
    if (class_name === 'Conv2D') {
      const [kh, kw, c, oc] = shape
      const kernel = constant(`${name}/kernel`, [oc, c, kh, kw], transpose(values, shape, [3, 2, 0, 1]))
      node('Conv', name, [kernel, bias], { kernel_shape: [kh, kw] })
    } else {
      const [inputs, outputs] = shape
      // The first Dense layer's inputs are a flattened picture, whose channels now come first.
      const [h, w, c] = FLATTENED
      const ordered = inputs === h * w * c ? transpose(values, [h, w, c, outputs], [2, 0, 1, 3]) : values
      node('Gemm', name, [constant(`${name}/kernel`, shape, ordered), bias])
    }
    activate(name, activation)
  }

  const tensor = (name, dims) => {
    const dim = dims.map((size) => (typeof size === 'string' ? { dimParam: size } : { dimValue: size }))
    return { name, type: { tensorType: { elemType: onnx.TensorProto.DataType.FLOAT, shape: { dim } } } }
  }
  const graph = {
    name: 'article',
    node: nodes,
    initializer,
    input: [tensor('input', ['n', 3, SIDE, SIDE])],
    output: [tensor(current, ['n', 1])],
  }
  return onnx.ModelProto.encode({ irVersion: 8, opsetImport: [{ domain: '', version: 17 }], graph }).finish()
}
