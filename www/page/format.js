/** Numbers and names as people read them. */

/**
 * A probability, to a tenth of a percent: never a false 0 or 100.
 *
 * @param {number} probability
 */
export function percent(probability) {
  if (probability > 0 && probability < 0.001) return '< 0.1%'
  if (probability < 1 && probability > 0.999) return '> 99.9%'
  return `${(probability * 100).toFixed(1)}%`
}

/**
 * @param {number} value
 */
export function milliseconds(value) {
  return value < 0.1 ? '< 0.1 ms' : `${value.toFixed(value < 10 ? 1 : 0)} ms`
}

/**
 * @param {number} count
 */
export function bytes(count) {
  if (count < 1000) return `${count} bytes`
  if (count < 1e6) return `${(count / 1000).toFixed(1)} kB`
  return `${(count / 1e6).toFixed(1)} MB`
}

/**
 * @param {number} value
 */
export const whole = (value) => value.toLocaleString('en')

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
