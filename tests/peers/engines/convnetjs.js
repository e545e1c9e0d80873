/** ConvNetJS, plain JavaScript: the one other that trains convolutions without a GPU at a pace that can be waited for. */
import { images, LAYERS, readSafetensors, SIDE, targets } from '../network.js'
import { runScript } from './script.js'

/** @param {Uint8Array} file the model file */
export async function load(file) {
  await runScript('convnetjs/build/convnet-min.js')
  const { convnetjs } = globalThis
  const layers = [{ type: 'input', out_sx: SIDE, out_sy: SIDE, out_depth: 3 }]
  for (const { class_name, filters, units, activation } of LAYERS) {
    if (class_name === 'Conv2D') layers.push({ type: 'conv', sx: 3, filters, stride: 1, pad: 0, activation })
    if (class_name === 'MaxPooling2D') layers.push({ type: 'pool', sx: 2, stride: 2 })
    if (class_name === 'Dense' && activation === 'relu') layers.push({ type: 'fc', num_neurons: units, activation })
  }
  // It has no cross-entropy of one sigmoid. Softmax over that output and a zero is the same.
  layers.push({ type: 'softmax', num_classes: 2 })
  const net = new convnetjs.Net()
  net.makeLayers(layers)
  setWeights(net, readSafetensors(file))
  const trainer = new convnetjs.Trainer(net, { method: 'adam', learning_rate: 0.001, batch_size: 32 })

  const volumes = (n) => {
    const [x, each] = [images(n), SIDE * SIDE * 3]
    return Array.from({ length: n }, (_, image) => {
      const volume = new convnetjs.Vol(SIDE, SIDE, 3, 0)
      volume.w.set(x.subarray(image * each, (image + 1) * each))
      return volume
    })
  }
  return {
    predictor(n) {
      const x = volumes(n)
      return () => Float32Array.from(x, (image) => net.forward(image).w[1])
    },
    trainer(n) {
      const [x, y] = [volumes(n), targets(n)]
      return () => x.reduce((loss, image, index) => loss + trainer.train(image, y[index]).cost_loss, 0) / n
    },
  }
}

/** Its layers hold a filter for each output, in the order (h, w, c). */
function setWeights(net, tensors) {
  const weighted = LAYERS.filter(({ class_name }) => class_name === 'Conv2D' || class_name === 'Dense')
  const theirs = net.layers.filter(({ filters }) => filters)
  for (const [index, { name, units }] of weighted.entries()) {
    const { values: kernel, shape } = tensors[`${name}/kernel`]
    const { values: bias } = tensors[`${name}/bias`]
    const outputs = shape.at(-1)
    const { filters, biases } = theirs[index]
    // The last layer's output is the softmax's second; its first stays zero.
    const shift = units === 1 ? 1 : 0
    if (shift) filters[0].w.fill(0)
    for (let output = 0; output < outputs; output++) {
      const { w } = filters[output + shift]
      for (let input = 0; input < w.length; input++) w[input] = kernel[input * outputs + output]
      biases.w[output + shift] = bias[output]
    }
    if (shift) biases.w[0] = 0
  }
}
