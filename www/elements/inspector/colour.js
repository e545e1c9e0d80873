/**
 * The two scales of all maps, computed in Oklab, whose lightness is what eyes see: one from dark blue to light yellow for
 * what is 0 or more, one from blue over near-white to red-brown for signed values. Lightness alone carries the order, and
 * blue against yellow or red is told apart by colour-blind readers.
 */

/** @typedef {[lightness: number, chroma: number, hue: number]} Oklch hue in degrees */

const STEPS = 256

/**
 * Stops evenly along the scale, as RGBA packed for a little-endian `Uint32Array`.
 *
 * @param {Oklch[]} stops
 */
function scale(stops) {
  return Uint32Array.from({ length: STEPS }, (_, step) => {
    const place = (step / (STEPS - 1)) * (stops.length - 1)
    const [from, to] = [stops[Math.floor(place)], stops[Math.ceil(place)]]
    const share = place % 1
    const [start, end] = [oklab(from), oklab(to)]
    const [l, a, b] = start.map((value, part) => value + (end[part] - value) * share)
    return packed(l, a, b)
  })
}

/** @param {Oklch} colour */
const oklab = ([l, c, h]) => [l, c * Math.cos((h * Math.PI) / 180), c * Math.sin((h * Math.PI) / 180)]

/**
 * Oklab to sRGB (Björn Ottosson's matrices).
 *
 * @param {number} lightness
 * @param {number} a
 * @param {number} b
 */
function packed(lightness, a, b) {
  const l = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3
  const m = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3
  const s = (lightness - 0.0894841775 * a - 1.291485548 * b) ** 3
  const [red, green, blue] = [
    4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s,
    -1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s,
    -0.0041960863 * l - 0.7034186147 * m + 1.707614701 * s,
  ].map((x) => Math.round(255 * Math.min(1, Math.max(0, x <= 0.0031308 ? 12.92 * x : 1.055 * x ** (1 / 2.4) - 0.055))))
  return ((255 << 24) | (blue << 16) | (green << 8) | red) >>> 0
}

const SEQUENTIAL = scale([
  [0.2, 0.06, 280],
  [0.45, 0.1, 235],
  [0.7, 0.11, 165],
  [0.95, 0.13, 105],
])
const DIVERGING = scale([
  [0.38, 0.13, 255],
  [0.68, 0.1, 245],
  [0.97, 0.005, 90],
  [0.68, 0.13, 50],
  [0.38, 0.12, 35],
])

/** @typedef {{ low: number, high: number }} Range */

/**
 * From the lowest to the highest of the values; around zero where there are any below it.
 *
 * @param {ArrayLike<number>} values
 * @returns {Range}
 */
export function rangeOf(values) {
  let [low, high] = [0, 0]
  for (let i = 0; i < values.length; i++) {
    if (values[i] < low) low = values[i]
    if (values[i] > high) high = values[i]
  }
  if (low === 0) return { low, high: high || 1 }
  const most = Math.max(-low, high)
  return { low: -most, high: most }
}

/**
 * Around zero, whatever the signs: for weights and what becomes of them.
 *
 * @param {ArrayLike<number>} values
 * @returns {Range}
 */
export function signedRangeOf(values) {
  const { low, high } = rangeOf(values)
  const most = Math.max(-low, high)
  return { low: -most, high: most }
}

/**
 * The colour of a value: RGBA packed; see-through for what is not a number.
 *
 * @param {number} value
 * @param {Range} range
 */
export function colour(value, { low, high }) {
  if (Number.isNaN(value)) return 0
  const step = Math.round(((value - low) / (high - low)) * (STEPS - 1))
  return (low < 0 ? DIVERGING : SEQUENTIAL)[Math.min(STEPS - 1, Math.max(0, step))]
}

/**
 * The same as CSS, and an ink that is legible on it.
 *
 * @param {number} value
 * @param {Range} range
 */
export function css(value, range) {
  const rgba = colour(value, range)
  const [red, green, blue] = [rgba & 255, (rgba >> 8) & 255, (rgba >> 16) & 255]
  const linear = [red, green, blue].map((x) => (x / 255) ** 2.2)
  const luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
  return { background: `rgb(${red} ${green} ${blue})`, ink: luminance > 0.18 ? '#000' : '#fff' }
}
