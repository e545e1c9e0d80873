/** Convolution and pooling of one channel, as Keras does them, one window at a time. */

/**
 * @typedef {'valid' | 'same'} Padding
 * @typedef {object} Geometry
 * @property {number} output the result's height and width
 * @property {number} before rows of padding above, and columns of it on the left
 * @property {number} after rows of padding below, and columns of it on the right
 */

/**
 * The result's size and the padding around an input of `size` x `size`.
 *
 * @param {number} size
 * @param {number} window
 * @param {number} stride
 * @param {Padding} padding
 * @returns {Geometry}
 */
export function geometry(size, window, stride, padding) {
  if (padding === 'valid') return { output: Math.max(0, Math.floor((size - window) / stride) + 1), before: 0, after: 0 }
  const output = Math.ceil(size / stride)
  const total = Math.max((output - 1) * stride + window - size, 0)
  const before = Math.floor(total / 2)
  return { output, before, after: total - before }
}

/**
 * The values under the window; undefined where it lies on padding.
 *
 * @param {number[][]} values
 * @param {number} window
 * @param {number} top may lie outside
 * @param {number} left may lie outside
 * @returns {(number | undefined)[][]}
 */
export const patchAt = (values, window, top, left) =>
  Array.from({ length: window }, (_, row) =>
    Array.from({ length: window }, (_, column) => values[top + row]?.[left + column]),
  )

/**
 * The sum of the products of patch and kernel; padding counts as zero.
 *
 * @param {(number | undefined)[][]} patch
 * @param {number[][]} kernel
 */
export const convolve = (patch, kernel) =>
  patch.flat().reduce((/** @type {number} */ sum, value, place) => sum + (value ?? 0) * kernel.flat()[place], 0)

/**
 * The largest or the mean value of the patch; padding does not count.
 *
 * @param {(number | undefined)[][]} patch
 * @param {'max' | 'average'} mode
 */
export function pool(patch, mode) {
  const values = patch.flat().filter((value) => value !== undefined)
  return mode === 'max' ? Math.max(...values) : values.reduce((sum, value) => sum + value, 0) / values.length
}
