/** Model files that tests write for themselves, as a trainer in Keras would. */

/**
 * A safetensors file.
 *
 * @param {{ [key: string]: string }} metadata
 * @param {{ [name: string]: { shape: number[], values: number[] } }} tensors
 */
export function safetensors(metadata, tensors) {
  const header = { __metadata__: metadata }
  const data = []
  let offset = 0
  for (const [name, { shape, values }] of Object.entries(tensors)) {
    data.push(Buffer.from(Float32Array.from(values).buffer))
    header[name] = { dtype: 'F32', shape, data_offsets: [offset, (offset += values.length * 4)] }
  }
  return container(JSON.stringify(header), Buffer.concat(data))
}

/**
 * A header's text and the tensors' bytes after it, whatever they are.
 *
 * @param {string} header
 * @param {Buffer} data
 */
function container(header, data) {
  const json = Buffer.from(header)
  // The tensors begin at a multiple of eight bytes: the header is padded with spaces.
  const padded = Buffer.concat([json, Buffer.alloc(-json.length & 7, ' ')])
  const length = Buffer.alloc(8)
  length.writeBigUInt64LE(BigInt(padded.length))
  return Buffer.concat([length, padded, data])
}

/**
 * A model file with its header's text changed.
 *
 * @param {Buffer} file
 * @param {(header: string) => string} change
 */
export function withHeader(file, change) {
  const end = 8 + Number(file.readBigUInt64LE())
  return container(change(file.toString('utf8', 8, end)), file.subarray(end))
}

/** Red, green or blue: the mean of each channel, times ten, then softmax. */
const COLOUR_TENSORS = {
  'dense/kernel': { shape: [3, 3], values: [10, 0, 0, 0, 10, 0, 0, 0, 10] },
  'dense/bias': { shape: [3], values: [0, 0, 0] },
}

const COLOUR_ARCHITECTURE = {
  class_name: 'Sequential',
  config: {
    name: 'colours',
    layers: [
      { class_name: 'InputLayer', config: { batch_shape: [null, 8, 8, 3], dtype: 'float32', name: 'input' } },
      { class_name: 'GlobalAveragePooling2D', config: { name: 'pool' } },
      { class_name: 'Dense', config: { name: 'dense', units: 3, activation: 'softmax', use_bias: true } },
    ],
  },
}

/**
 * A model that names the strongest of three colours.
 *
 * @param {{ labels?: string[], metadata?: { [key: string]: string }, tensors?: typeof COLOUR_TENSORS }} [changes]
 */
export function colourModel({ labels = ['red', 'green', 'blue'], metadata = {}, tensors = COLOUR_TENSORS } = {}) {
  return safetensors(
    {
      format: 'convlet',
      version: '1',
      architecture: JSON.stringify(COLOUR_ARCHITECTURE),
      labels: JSON.stringify(labels),
      ...metadata,
    },
    tensors,
  )
}

export { COLOUR_TENSORS }
