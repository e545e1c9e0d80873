/**
 * Measures the elements of the built package: `npm run measure:elements` after `npm run build` in www. Cold figures are
 * medians over fresh browsers with empty caches, from a local server. `npm run measure:elements -- size ten` measures
 * these alone, of size, cold, ten, growth, pointer and pages.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { launch, newPage } from './support/browser.js'
import { answerWith } from './support/convlet-page.js'
import { serve, WWW } from './support/server.js'
import { holdings } from './support/holdings.js'

const ROUNDS = Number(process.env.ROUNDS ?? 7)
const DIST = join(WWW, 'dist')
const PICTURE = readFileSync(join(WWW, 'page/samples/cat.svg'))

/** A page of a writer's: the time when its script tag is read, and what moves or blocks while it loads. */
const html = (element, body) => `<!doctype html><html lang="en"><meta charset="utf-8"><link rel="icon" href="data:,"><title>post</title>
<style>body { max-width: 60rem; margin: auto } ${element} { min-height: 28rem } ${element}:not(:defined) { display: block }</style>
<script>
  globalThis.began = performance.now()
  globalThis.wasmMemory = globalThis.workers = globalThis.shift = 0
  globalThis.blocked = []
  globalThis.Worker = class extends Worker {
    constructor(...args) {
      super(...args)
      workers++
      this.addEventListener('message', ({ data }) => (wasmMemory = data.memory ?? wasmMemory))
    }
  }
</script>
<script type="module" src="package/elements/${element}.js"></script>
<p>A paragraph before.</p><main>${body}</main><p>A paragraph after.</p>`

const watch = () => {
  globalThis.shift ??= 0
  globalThis.blocked ??= []
  new PerformanceObserver((list) => list.getEntries().forEach(({ value }) => (globalThis.shift += value))).observe({ type: 'layout-shift', buffered: true })
  new PerformanceObserver((list) => list.getEntries().forEach(({ duration }) => globalThis.blocked.push(duration))).observe({ type: 'longtask', buffered: true })
}

const server = await serve(DIST, { '/cat.svg': answerWith(PICTURE, { 'content-type': 'image/svg+xml' }) })
const median = (numbers) => numbers.sort((a, b) => a - b)[numbers.length >> 1]
const kB = (bytes) => `${(bytes / 1000).toFixed(0)} kB`
const classifier = '<convlet-classifier src="models/pets.safetensors" picture="cat.svg" loading="eager"></convlet-classifier>'

const WIDTHS = [52, 44, 8]

/** A row of the table, as soon as it is known: all of them take a while. */
const row = (/** @type {string[]} */ ...cells) =>
  console.log(`| ${cells.map((cell, column) => cell.padEnd(WIDTHS[column])).join(' | ')} |`)

/** Opens a page of `element` in a fresh browser, hands it to `measure`. */
async function inFreshBrowser(element, body, measure) {
  const browser = await launch()
  const opened = await newPage(browser)
  server.answers['/measure.html'] = answerWith(html(element, body), { 'content-type': 'text/html' })
  await opened.page.addInitScript(watch)
  await opened.page.goto(`${server.url}measure.html`)
  try {
    return await measure(opened)
  } finally {
    await browser.close()
  }
}

const answered = (page, count = 1) =>
  page.waitForFunction((count) => [...document.querySelectorAll('convlet-classifier')].filter(({ answer }) => answer).length >= count, count)

async function size() {
  const loaded = await inFreshBrowser('convlet-classifier', classifier, async ({ page, requests }) => {
    await answered(page)
    return requests.map((url) => url.slice(server.url.length)).filter((path) => /\.(js|wasm)$/.test(path))
  })
  const weigh = (paths) => paths.reduce((sum, path) => sum + gzipSync(readFileSync(join(DIST, path)), { level: 9 }).length, 0)
  const all = [...new Set([...loaded, 'package/client/worker.js'])]
  const [scripts, wasm] = ['.js', '.wasm'].map((end) => weigh(all.filter((path) => path.endsWith(end))))
  row('classifier alone, gzip', `${kB(scripts + wasm)} (scripts ${kB(scripts)}, wasm ${kB(wasm)})`, '150 kB')
}

async function coldStart() {
  const times = []
  const [shifts, blocks] = [[], []]
  for (let round = 0; round < ROUNDS; round++)
    await inFreshBrowser('convlet-classifier', classifier, async ({ page }) => {
      await page.evaluate(
        () => new Promise((done) => {
          const element = document.querySelector('convlet-classifier')
          const tell = () => done((globalThis.answeredAt = performance.now()))
          element.answer ? tell() : element.addEventListener('classify', tell)
        }),
      )
      const at = await page.evaluate(() => ({ time: answeredAt - began, shift, blocked }))
      times.push(at.time)
      shifts.push(at.shift)
      blocks.push(Math.max(0, ...at.blocked))
    })
  row('script tag to first classification, cold', `${median(times).toFixed(0)} ms`, '600 ms')
  row('the same: layout shift', Math.max(...shifts).toFixed(3), '0')
  row('the same: longest task that blocks', `${median(blocks).toFixed(0)} ms`, '50 ms')
}

async function tenElements() {
  const memory = async ({ page, requests }, count) => {
    await answered(page, count)
    return { ...(await holdings(page)), workers: await page.evaluate(() => workers), binaries: requests.filter((url) => url.endsWith('.wasm')).length }
  }
  const one = await inFreshBrowser('convlet-classifier', classifier, (opened) => memory(opened, 1))
  const ten = await inFreshBrowser('convlet-classifier', classifier.repeat(10), (opened) => memory(opened, 10))
  row('ten classifiers: engines', `${ten.binaries} wasm in ${ten.workers} worker`, '1')
  const ratio = (ten.wasm + ten.heap) / (one.wasm + one.heap)
  row('ten classifiers: memory against one', `${ratio.toFixed(2)} x (wasm ${(ten.wasm / one.wasm).toFixed(2)} x)`, '1.5 x')
}

/** Attached and removed 200 times, every tenth time only when it was ready. */
async function comeAndGo(element, attributes, ready) {
  const grown = await inFreshBrowser(element, '', async ({ page }) => {
    const cycle = (times) =>
      page.evaluate(
        async ([name, attributes, ready, times]) => {
          await customElements.whenDefined(name)
          for (let i = 0; i < times; i++) {
            const element = document.createElement(name)
            for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value)
            const done = new Promise((resolve) => element.addEventListener(ready, resolve, { once: true }))
            document.querySelector('main').append(element)
            await (i % 10 === 0 ? done : new Promise((resolve) => setTimeout(resolve, i % 3)))
            element.remove()
          }
        },
        [element, attributes, ready, times],
      )
    await cycle(40)
    const first = await holdings(page)
    await cycle(200)
    const last = await holdings(page)
    return { heap: last.heap - first.heap, wasm: last.wasm - first.wasm }
  })
  row(`${element}, 200 times in and out: growth`, `heap ${kB(grown.heap)}, wasm ${kB(grown.wasm)}`, 'none')
}

async function pointer() {
  const body = '<convlet-inspector src="models/article.safetensors" picture="cat.svg" loading="eager"></convlet-inspector>'
  const times = await inFreshBrowser('convlet-inspector', body, ({ page }) =>
    page.evaluate(async () => {
      const element = document.querySelector('convlet-inspector')
      const pointed = () => new Promise((resolve) => element.addEventListener('point', resolve, { once: true }))
      if (!element.inspection) await new Promise((resolve) => element.addEventListener('inspect', resolve, { once: true }))
      const times = []
      for (const layer of [0, 2]) {
        await element.choose(layer)
        const map = element.shadowRoot.querySelector('.map.pointable')
        const { left, top, width, height } = map.getBoundingClientRect()
        for (let i = 1; i <= 40; i++) {
          await new Promise((resolve) => requestAnimationFrame(resolve))
          const [done, began] = [pointed(), performance.now()]
          map.dispatchEvent(new PointerEvent('pointermove', { clientX: left + (width * i) / 41, clientY: top + (height * (i % 7) + 1) / 8 }))
          await done
          times.push(performance.now() - began)
        }
      }
      return times
    }),
  )
  times.sort((a, b) => a - b)
  row('inspector: pointer to arithmetic', `${median(times).toFixed(1)} ms (95 of 100: ${times[Math.floor(times.length * 0.95)].toFixed(1)} ms)`, '16 ms')
}

async function pages() {
  for (const path of ['', 'teach.html', 'tutorial.html']) {
    const browser = await launch()
    const { page } = await newPage(browser)
    await page.addInitScript(watch)
    await page.goto(`${server.url}${path}`)
    await page.waitForTimeout(4000)
    const { shift, blocked } = await page.evaluate(() => ({ shift, blocked }))
    row(`${path || 'index.html'}: layout shift, longest task`, `${shift.toFixed(3)}, ${Math.max(0, ...blocked).toFixed(0)} ms`, '0, 50 ms')
    await browser.close()
  }
}

const parts = {
  size,
  cold: coldStart,
  ten: tenElements,
  growth: async () => {
    const model = { src: 'models/article.safetensors', picture: 'cat.svg', loading: 'eager' }
    await comeAndGo('convlet-classifier', model, 'classify')
    await comeAndGo('convlet-inspector', model, 'inspect')
    await comeAndGo('convlet-trainer', { base: 'models/pets.safetensors', labels: 'a, b', loading: 'eager' }, 'load')
  },
  pointer,
  pages,
}
const chosen = process.argv.length > 2 ? process.argv.slice(2) : Object.keys(parts)
row('what', 'measured', 'target')
row(...WIDTHS.map((width) => '-'.repeat(width)))
try {
  for (const name of chosen) await parts[name]()
} finally {
  await server.close()
}
