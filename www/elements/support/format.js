/** Numbers as people read them. */

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
export const whole = (value) => value.toLocaleString('en')

/**
 * At most two decimals, and a true minus sign.
 *
 * @param {number} value
 */
export const short = (value) => String(Math.round(value * 100) / 100 || 0).replace('-', '−')

/**
 * Two digits that count, whatever its size.
 *
 * @param {number} value
 */
export const twoDigits = (value) => value.toLocaleString('en', { maximumSignificantDigits: 2 })

/**
 * Exactly so many decimals, and a true minus sign; none before a rounded nothing.
 *
 * @param {number} value
 * @param {number} [decimals]
 */
export const fixed = (value, decimals = 2) => value.toFixed(decimals).replace(/^-(?=0*\.?0*$)/, '').replace('-', '−')

/**
 * @param {number} count
 */
export function bytes(count) {
  if (count < 1000) return `${count} bytes`
  if (count < 1e6) return `${(count / 1000).toFixed(1)} kB`
  if (count < 1e9) return `${(count / 1e6).toFixed(1)} MB`
  return `${(count / 1e9).toFixed(1)} GB`
}
