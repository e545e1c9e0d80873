/** A layer's numbers as pictures: a channel of an image, or a vector laid out in rows. */

import { colour } from './colour.js'

/** @import { Range } from './colour.js' */

/**
 * @typedef {object} Face
 * @property {Float32Array} values
 * @property {number} height
 * @property {number} width
 * @property {number} channels
 */

/**
 * Value `(y * width + x) * channels + channel` is at (y, x) of that channel, for images and vectors alike.
 *
 * @param {Float32Array} values
 * @param {number[]} shape height, width, channels; a vector is 1 x 1 x length
 * @returns {Face}
 */
export function face(values, [height, width, channels]) {
  if (height * width > 1 || channels === 1) return { values, height, width, channels }
  const columns = channels <= 16 ? channels : Math.ceil(Math.sqrt(channels * 2))
  return { values, height: Math.ceil(channels / columns), width: columns, channels: 1 }
}

/**
 * The channel in which most goes on.
 *
 * @param {Face} face
 */
export function liveliest({ values, channels }) {
  const sums = new Float64Array(channels)
  for (let i = 0; i < values.length; i++) sums[i % channels] += Math.abs(values[i])
  return sums.indexOf(Math.max(...sums))
}

/**
 * The place of a channel's largest value.
 *
 * @param {Face} face
 * @param {number} channel
 */
export function peak({ values, channels }, channel) {
  let best = channel
  for (let i = channel; i < values.length; i += channels) if (values[i] > values[best]) best = i
  return Math.floor(best / channels)
}

/**
 * One channel's pixels.
 *
 * @param {Face} face
 * @param {number} channel
 * @param {Range} range
 */
export function pixels({ values, height, width, channels }, channel, range) {
  const image = new ImageData(width, height)
  const words = new Uint32Array(image.data.buffer)
  for (let i = 0; i < words.length; i++) words[i] = colour(values[i * channels + channel] ?? NaN, range)
  return image
}

/**
 * The picture itself, in its colours.
 *
 * @param {Face} face
 * @param {number} rescale the factor from bytes to values
 */
export function photo({ values, height, width, channels }, rescale) {
  const image = new ImageData(width, height)
  for (let i = 0; i < height * width; i++)
    for (let part = 0; part < 4; part++) {
      const value = part === 3 ? 255 : values[i * channels + Math.min(part, channels - 1)] / (rescale || 1)
      image.data[i * 4 + part] = value
    }
  return image
}

/**
 * All channels side by side, a pixel apart.
 *
 * @param {HTMLCanvasElement} canvas
 * @param {Face} face
 * @param {Range} range
 * @param {number} columns
 */
export function mosaic(canvas, face, range, columns) {
  const { height, width, channels } = face
  canvas.width = columns * (width + 1) - 1
  canvas.height = Math.ceil(channels / columns) * (height + 1) - 1
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext('2d'))
  for (let channel = 0; channel < channels; channel++) {
    const [x, y] = [(channel % columns) * (width + 1), Math.floor(channel / columns) * (height + 1)]
    context.putImageData(pixels(face, channel, range), x, y)
  }
}

/**
 * The kernel of one output channel, a slice an input channel.
 *
 * @param {Float32Array} kernel
 * @param {number[]} shape height, width, input channels, output channels
 * @param {number} output
 * @returns {Face}
 */
export function slices(kernel, [height, width, channels, outputs], output) {
  const values = Float32Array.from({ length: height * width * channels }, (_, i) => kernel[i * outputs + output])
  return { values, height, width, channels }
}
