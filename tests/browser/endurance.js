/**
 * Hours in one tab: classifications through an element of the page, then training steps, with memory, elements and time
 * sampled on the way. Writes the samples as .csv and their plot as .svg, and fails if anything has grown.
 *
 *     npm run endurance -- [--classifications 100000] [--steps 5000] [--out endurance]
 */
import { writeFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { launch } from './support/browser.js'
import { openElements, serveElements } from './support/elements-page.js'

const { values } = parseArgs({
  options: {
    classifications: { type: 'string', default: '100000' },
    steps: { type: 'string', default: '5000' },
    out: { type: 'string', default: 'endurance' },
  },
})
const SAMPLES = 50
/** The share of the samples that count as warming up. */
const WARM_UP = 0.2
/** What is sampled, in which unit, and by how much its highest may grow from the first half after warming up to the second. */
const FIGURES = {
  wasm: { name: 'wasm memory', unit: 'MiB', scale: 2 ** 20, growth: 0 },
  heap: { name: 'JavaScript heap', unit: 'MiB', scale: 2 ** 20, growth: 0.05 },
  nodes: { name: 'DOM nodes', unit: '', scale: 1, growth: 0 },
  milliseconds: { name: 'time of one', unit: 'ms', scale: 1, growth: Infinity },
}

const browser = await launch(['--js-flags=--expose-gc'])
const server = await serveElements({})
const { page, context } = await openElements(browser, server, ['convlet-classifier'])
const devtools = await context.newCDPSession(page)
await devtools.send('Performance.enable')

await page.evaluate(async () => {
  globalThis.element = add('convlet-classifier', { src: 'models/pets.safetensors', loading: 'eager' })
  await told(element.id, 'load')
  const { Trainer } = await import('./client/convlet.js')
  /** Pictures of two kinds, no two alike. */
  const picture = (number) => {
    const data = new ImageData(96, 72)
    for (let at = 0; at < data.data.length; at++)
      data.data[at] = at % 4 === 3 ? 255 : (at * (number % 2 ? 7 : 3) + number * 31 + (at % 4) * 60) % 256
    return data
  }
  const pictures = Array.from({ length: 32 }, (_, number) => picture(number))
  globalThis.classifyMany = async (count) => {
    for (let done = 0; done < count; done++) await element.classify(pictures[done % pictures.length])
    // The page of the tests notes each event: that is its own growth, not the element's.
    for (const list of Object.values(events)) list.length = 0
  }
  globalThis.openTrainer = async (steps) => {
    // One step an epoch.
    const options = { epochs: steps, batchSize: 28, earlyStopping: undefined }
    globalThis.trainer = await Trainer.create({ base: 'models/article.safetensors', labels: ['a', 'b'], depth: 'whole', options })
    for (const [number, each] of pictures.entries()) await trainer.addExample(each, number % 2 ? 'a' : 'b')
  }
  /** Trains to the end, halting for a sample every so many steps. */
  globalThis.trainAll = async (every) => {
    let done = 0
    await trainer.train({ onEpochEnd: () => (++done % every ? undefined : sample(every)) })
    await trainer.dispose()
  }
})

/** @type {{ phase: string, done: number, wasm: number, heap: number, nodes: number, milliseconds: number }[]} */
const samples = []
let [began, done] = [performance.now(), 0]

async function sample(/** @type {string} */ phase, /** @type {number} */ count) {
  const milliseconds = (performance.now() - began) / count
  await devtools.send('HeapProfiler.collectGarbage')
  const { metrics } = await devtools.send('Performance.getMetrics')
  const metric = (name) => metrics.find((each) => each.name === name).value
  const wasm = await page.evaluate(() => globalThis.wasmMemory)
  samples.push({ phase, done: (done += count), wasm, heap: metric('JSHeapUsedSize'), nodes: metric('Nodes'), milliseconds })
  console.log(JSON.stringify(samples.at(-1)))
  began = performance.now()
}

const perSample = Math.ceil(Number(values.classifications) / SAMPLES)
for (let each = 0; each < SAMPLES; each++) {
  await page.evaluate((count) => classifyMany(count), perSample)
  await sample('classify', perSample)
}

const steps = Number(values.steps)
await page.exposeFunction('sample', (/** @type {number} */ count) => sample('train', count))
await page.evaluate((steps) => openTrainer(steps), steps)
;[began, done] = [performance.now(), 0]
await page.evaluate((every) => trainAll(every), Math.ceil(steps / SAMPLES))
await browser.close()
await server.close()

const columns = Object.keys(samples[0])
writeFileSync(`${values.out}.csv`, [columns, ...samples.map(Object.values)].map((row) => `${row.join()}\n`).join(''))
writeFileSync(`${values.out}.svg`, plot())
let failed = false
for (const phase of ['classify', 'train'])
  for (const [figure, { name, unit, scale, growth }] of Object.entries(FIGURES)) {
    const own = samples.filter((each) => each.phase === phase).map((each) => each[figure] / scale)
    const warm = own.slice(Math.floor(own.length * WARM_UP))
    const [before, after] = [warm.slice(0, warm.length / 2), warm.slice(warm.length / 2)].map((half) => Math.max(...half))
    const bad = after / before - 1 > growth
    failed ||= bad
    console.log(`${phase}: ${name}, at most ${before.toFixed(2)}, then ${after.toFixed(2)} ${unit}${bad ? ', which has GROWN' : ''}`)
  }
process.exitCode = failed ? 1 : 0

/** A small chart for each figure and phase, from zero. */
function plot() {
  const [width, height, gap] = [300, 90, 50]
  const charts = Object.entries(FIGURES).flatMap(([figure, { name, unit, scale }], row) =>
    ['classify', 'train'].map((phase, column) => {
      const own = samples.filter((each) => each.phase === phase)
      const highest = Math.max(...own.map((each) => each[figure])) || 1
      const points = own.map((each) => `${(each.done / own.at(-1).done) * width},${height * (1 - each[figure] / highest)}`)
      const [x, y] = [gap + column * (width + gap), gap + row * (height + gap)]
      const title = `${name}, at most ${(highest / scale).toFixed(figure === 'nodes' ? 0 : 2)} ${unit}`
      const what = `${own.at(-1).done.toLocaleString('en')} ${phase === 'train' ? 'training steps' : 'classifications'}`
      return `<g transform="translate(${x} ${y})"><text y="-8">${title}</text>
<path d="M0 0V${height}H${width}" stroke="#888"/><polyline points="${points.join(' ')}" stroke="#0a7" stroke-width="2"/>
<text x="${width}" y="${height + 16}" text-anchor="end" fill="#888">${what}</text></g>`
    }),
  )
  const [w, h] = [2 * width + 3 * gap, 4 * (height + gap) + gap]
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${w} ${h}" font-family="system-ui" font-size="13">
<style>text { fill: #777 } path, polyline { fill: none }</style>
${charts.join('\n')}
</svg>
`
}
