/** Animals drawn by chance, where photographs cannot be shipped: cats with pointed ears, dogs with hanging ones. */

/** Pixels of a side: what the article's network takes. */
const SIDE = 64

/** Fur and background, the same for both, so that no colour gives the answer away. */
const COLOURS = ['#3b3632', '#6d4c33', '#a9743f', '#d2a679', '#e8dcc8', '#8b8d91', '#c65f3c', '#5d7a8c', '#7c9a6d', '#b9a3c4']

/**
 * Numbers from 0 to 1, the same for the same seed: a xorshift (Marsaglia 2003).
 *
 * @param {number} seed
 */
export function chance(seed) {
  let state = (seed * 2654435761 + 1) >>> 0 || 1
  return () => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return (state >>> 0) / 2 ** 32
  }
}

/**
 * A face.
 *
 * @param {'cat' | 'dog'} kind
 * @param {() => number} random
 */
export function drawAnimal(kind, random) {
  const canvas = document.createElement('canvas')
  canvas.width = canvas.height = SIDE
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext('2d', { willReadFrequently: true }))
  const between = (/** @type {number} */ low, /** @type {number} */ high) => low + random() * (high - low)
  const colour = () => COLOURS[Math.floor(random() * COLOURS.length)]
  const [background, fur] = [colour(), colour()]
  context.fillStyle = background
  context.fillRect(0, 0, SIDE, SIDE)
  // Something behind it, as in any photograph.
  for (let i = 0; i < 4; i++) {
    context.fillStyle = colour()
    context.globalAlpha = 0.4
    context.fillRect(between(-10, SIDE), between(-10, SIDE), between(6, 30), between(6, 30))
  }
  context.globalAlpha = 1
  context.translate(between(28, 36), between(30, 38))
  context.rotate(between(-0.25, 0.25))
  const size = between(15, 20)
  context.scale(size, size)
  context.lineWidth = 0.08
  context.strokeStyle = '#1d1b18'
  /** @param {() => void} path */
  const shape = (path) => {
    context.beginPath()
    path()
    context.fill()
    context.stroke()
  }
  context.fillStyle = fur
  for (const side of [-1, 1]) {
    const [tip, turn] = [between(1.35, 1.6), between(0.1, 0.35)]
    shape(() =>
      kind === 'cat'
        ? [[0.15, -0.75], [0.75, -tip], [0.92, -0.3]].forEach(([x, y], place) => context[place ? 'lineTo' : 'moveTo'](side * x, y))
        : context.ellipse(side * 0.95, between(0, 0.2), 0.3, tip / 2, -side * turn, 0, 7),
    )
  }
  shape(() => context.ellipse(0, 0, between(0.85, 0.98), between(0.8, 0.95), 0, 0, 7))
  context.fillStyle = '#1d1b18'
  for (const side of [-1, 1]) shape(() => context.ellipse(side * 0.36, -0.15, 0.1, between(0.08, 0.16), 0, 0, 7))
  shape(() => context.ellipse(0, 0.3, 0.14, 0.1, 0, 0, 7))
  return canvas
}
