/** Numbers and names as people read them. */

export { bytes, percent, whole } from '../elements/support/format.js'

/**
 * @param {number} value
 */
export function milliseconds(value) {
  return value < 0.1 ? '< 0.1 ms' : `${value.toFixed(value < 10 ? 1 : 0)} ms`
}

/**
 * What the network can be asked: 'Cat or dog?'
 *
 * @param {string[]} labels
 */
export function question(labels) {
  if (labels.length < 2 || labels.length > 4) return 'What is it?'
  const list = `${labels.slice(0, -1).join(', ')} or ${labels.at(-1)}?`
  return list.charAt(0).toUpperCase() + list.slice(1)
}
