/** The curves of a training, drawn by uPlot. Loaded with the first training. */
import uPlot from 'uplot'
import 'uplot/dist/uPlot.min.css'
import { byId } from '../page/dom.js'

/** @import { Logs } from '../client/trainer.js' */

const HEIGHT = 180

/** Loss and accuracy by epoch, on the examples trained on and on those held out. */
export class Plots {
  #places = [byId('plot-loss', HTMLElement), byId('plot-accuracy', HTMLElement)]
  /** @type {uPlot[]} */
  #plots = []
  /** @type {readonly Logs[]} */
  #history = []

  constructor() {
    this.#make()
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => this.#make())
    new ResizeObserver(() => this.#fit()).observe(this.#places[0])
  }

  /** @param {readonly Logs[]} history */
  show(history) {
    this.#history = history
    const epochs = history.map((_logs, epoch) => epoch + 1)
    this.#plots.forEach((plot, place) => {
      const name = place === 0 ? /** @type {const} */ ('loss') : /** @type {const} */ ('accuracy')
      const training = history.map((logs) => logs[name])
      const validation = history.map((logs) => logs[/** @type {'val_loss' | 'val_accuracy'} */ (`val_${name}`)] ?? null)
      plot.setData([epochs, training, validation])
    })
  }

  #make() {
    for (const plot of this.#plots) plot.destroy()
    this.#plots = this.#places.map((place, index) => {
      const plot = new uPlot(options(index === 1), [[], [], []], place)
      const canvas = place.querySelector('canvas')
      canvas?.setAttribute('aria-hidden', 'true')
      return plot
    })
    this.#fit()
    this.show(this.#history)
  }

  #fit() {
    this.#plots.forEach((plot, place) => {
      const width = this.#places[place].clientWidth
      if (width) plot.setSize({ width, height: HEIGHT })
    })
  }
}

/**
 * @param {boolean} isShare the axis goes from 0 to 1
 * @returns {uPlot.Options}
 */
function options(isShare) {
  const style = getComputedStyle(document.documentElement)
  /** @param {string} name */
  const colour = (name) => style.getPropertyValue(name).trim()
  const axis = {
    stroke: colour('--ink-soft'),
    font: '12px system-ui, sans-serif',
    grid: { stroke: colour('--line'), width: 1 },
    ticks: { show: false },
  }
  const point = { show: false }
  return {
    width: 320,
    height: HEIGHT,
    cursor: { drag: { x: false, y: false } },
    legend: { show: false },
    scales: { x: { time: false }, y: { range: isShare ? [0, 1] : (_plot, _low, high) => [0, high || 1] } },
    axes: [
      { ...axis, incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500], size: 28 },
      { ...axis, size: 44, values: isShare ? (_plot, ticks) => ticks.map((tick) => `${Math.round(tick * 100)}%`) : undefined },
    ],
    series: [
      {},
      { label: 'training', stroke: colour('--ink-soft'), width: 2, dash: [6, 4], points: point },
      { label: 'validation', stroke: colour('--accent'), width: 2, points: point },
    ],
  }
}
