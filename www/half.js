/** Model files in half the bytes: safetensors of F32, rewritten as F16. */

const bits = new DataView(new ArrayBuffer(4))

/**
 * The nearest F16, a tie going to the even one.
 *
 * @param {number} value
 */
export function half(value) {
  bits.setFloat32(0, value)
  const whole = bits.getUint32(0)
  const sign = (whole >>> 16) & 0x8000
  const size = Math.abs(value)
  if (Number.isNaN(value)) return sign | 0x7e00
  if (size >= 65520) return sign | 0x7c00
  // Below the smallest normal one, the steps are all of one size.
  if (size < 2 ** -14) return sign | even(size * 2 ** 24)
  const exponent = (whole >>> 23) & 0xff
  // A carry out of the fraction is one more in the exponent, as it should be.
  return sign | (((exponent - 112) << 10) + even((whole & 0x7fffff) / 2 ** 13))
}

/**
 * @param {number} value
 */
function even(value) {
  const floor = Math.floor(value)
  const rest = value - floor
  return rest > 0.5 || (rest === 0.5 && floor % 2 === 1) ? floor + 1 : floor
}

/**
 * @param {Buffer} file
 */
export function toHalves(file) {
  const start = 8 + Number(file.readBigUInt64LE(0))
  const header = JSON.parse(file.toString('utf8', 8, start))
  /** @type {Buffer[]} */
  const parts = []
  let offset = 0
  const tensors = Object.entries(header).filter(([name]) => name !== '__metadata__')
  for (const [, tensor] of tensors.sort(([, a], [, b]) => a.data_offsets[0] - b.data_offsets[0])) {
    const [from, to] = tensor.data_offsets
    let part = file.subarray(start + from, start + to)
    if (tensor.dtype === 'F32') {
      const halves = Buffer.alloc(part.length / 2)
      for (let place = 0; place < part.length; place += 4) halves.writeUInt16LE(half(part.readFloatLE(place)), place / 2)
      part = halves
      tensor.dtype = 'F16'
    }
    parts.push(part)
    tensor.data_offsets = [offset, (offset += part.length)]
  }
  const json = Buffer.from(JSON.stringify(header))
  // Tensors begin at a multiple of eight bytes.
  const padded = Buffer.concat([json, Buffer.alloc(-json.length & 7, ' ')])
  const length = Buffer.alloc(8)
  length.writeBigUInt64LE(BigInt(padded.length))
  return Buffer.concat([length, padded, ...parts])
}
