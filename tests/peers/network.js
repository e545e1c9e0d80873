/** The article's network, its weights and its input, for every engine alike. */

export const SIDE = 64

/** As Keras configures them. */
export const LAYERS = [
  { class_name: 'Conv2D', name: 'conv2d', filters: 32, kernel_size: [3, 3], activation: 'relu' },
  { class_name: 'MaxPooling2D', name: 'max_pooling2d', pool_size: [2, 2], strides: [2, 2] },
  { class_name: 'Conv2D', name: 'conv2d_1', filters: 32, kernel_size: [3, 3], activation: 'relu' },
  { class_name: 'MaxPooling2D', name: 'max_pooling2d_1', pool_size: [2, 2], strides: [2, 2] },
  { class_name: 'Flatten', name: 'flatten' },
  { class_name: 'Dense', name: 'dense', units: 128, activation: 'relu' },
  { class_name: 'Dense', name: 'dense_1', units: 1, activation: 'sigmoid' },
]

/** Height, width and channels before flattening. */
export const FLATTENED = [14, 14, 32]

/** Floating-point operations an image, multiplications and additions counted apart. */
const CONV2D = 2 * 62 * 62 * 32 * 27
const FORWARD = CONV2D + 2 * 29 * 29 * 32 * 288 + 2 * 6272 * 128 + 2 * 128
/** Backward computes the gradient of the weights and that of the input, which the first layer does not need. */
export const TRAINING_FLOP = 3 * FORWARD - CONV2D

/** Values in [0, 1), the same on every machine. */
function random(length, seed) {
  let state = seed
  return Float32Array.from({ length }, () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return (state >>> 8) / 2 ** 24
  })
}

/** `n` images (n, 64, 64, 3): patches of 8 x 8 pixels of one colour, with some noise. */
export function images(n) {
  const [colours, noise] = [random(n * 64 * 3, 1), random(n * SIDE * SIDE * 3, 2)]
  return noise.map((value, index) => {
    const [c, x] = [index % 3, Math.floor(index / 3) % SIDE]
    const [y, image] = [Math.floor(index / 3 / SIDE) % SIDE, Math.floor(index / 3 / SIDE / SIDE)]
    return 0.9 * colours[((image * 8 + (y >> 3)) * 8 + (x >> 3)) * 3 + c] + 0.1 * value
  })
}

/** A camera's frame: RGBA, opaque. */
export function frame(width, height) {
  const rgba = Uint8ClampedArray.from(random(width * height * 4, 3), (value) => value * 256)
  for (let alpha = 3; alpha < rgba.length; alpha += 4) rgba[alpha] = 255
  return rgba
}

/** As many targets of 0 and 1. */
export const targets = (n) => Float32Array.from({ length: n }, (_, index) => index % 2)

/**
 * The tensors of a safetensors file, by name.
 *
 * @param {Uint8Array} file
 * @returns {{ [name: string]: { shape: number[], values: Float32Array } }}
 */
export function readSafetensors(file) {
  const length = Number(new DataView(file.buffer, file.byteOffset).getBigUint64(0, true))
  const header = JSON.parse(new TextDecoder().decode(file.subarray(8, 8 + length)))
  delete header.__metadata__
  return Object.fromEntries(
    Object.entries(header).map(([name, { shape, data_offsets: [begin, end] }]) => {
      const bytes = file.slice(8 + length + begin, 8 + length + end)
      return [name, { shape, values: new Float32Array(bytes.buffer) }]
    }),
  )
}
