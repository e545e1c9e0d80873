/** Looking inside: what is shown is what the engine computed. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { axeFindings } from './support/axe.js'
import { launch, newPage } from './support/browser.js'
import { answerWith } from './support/convlet-page.js'
import { png } from './support/pictures.js'
import { serve, WWW } from './support/server.js'

const HTML = `<!doctype html><html lang="en"><link rel="icon" href="data:,"><title>inside</title><main><h1>Inside</h1>
<convlet-inspector src="models/article.safetensors" picture="waves.png" loading="eager"></convlet-inspector></main>
<script type="module" src="elements/convlet-inspector.js"></script>`

let browser, server, page, assertQuiet

before(async () => {
  browser = await launch()
  const waves = png(80, 60, (x, y) => [128 + 127 * Math.sin(x / 5), 2 * x, 4 * y])
  server = await serve(WWW, {
    '/inside.html': answerWith(HTML, { 'content-type': 'text/html' }),
    '/waves.png': answerWith(waves, { 'content-type': 'image/png' }),
  })
  ;({ page, assertQuiet } = await newPage(browser))
  await page.goto(`${server.url}inside.html`)
  await page.evaluate(async () => {
    await customElements.whenDefined('convlet-inspector')
    globalThis.element = document.querySelector('convlet-inspector')
    globalThis.pointed = () => new Promise((resolve) => element.addEventListener('point', (event) => resolve(event.detail), { once: true }))
    while (!element.inspection) await pointed()
  })
})

after(async () => {
  await browser?.close()
  await server?.close()
})

test('the arithmetic of every layer is what the layer put out', async () => {
  const layers = await page.evaluate(async () => {
    const { inspection } = element
    const layers = []
    for (const [layer, { className }] of inspection.layers.entries()) {
      const output = await inspection.output(layer)
      const input = await inspection.output(inspection.layers[layer].inputs[0])
      for (const index of [0, output.length >> 1, output.length - 1]) {
        const { terms, bias, total, output: shown } = await inspection.arithmetic(layer, index)
        const size = terms.reduce((sum, { value, weight }) => sum + Math.abs(value * weight), Math.abs(bias))
        const sum = terms.reduce((sum, { value, weight }) => sum + value * weight, bias)
        const read = terms.every(({ index, value }) => value === (index < 0 ? 0 : input[index]))
        layers.push({ className, index, terms: terms.length, sum, total, size, shown, output: output[index], read })
      }
    }
    return layers
  })
  assert.deepEqual(
    layers.filter((_, place) => place % 3 === 0).map(({ terms }) => terms),
    [27, 4, 288, 4, 1, 6272, 128],
  )
  for (const { className, index, terms, sum, total, size, shown, output, read } of layers) {
    assert.equal(shown, output, `${className} ${index}`)
    assert.ok(read, `${className} ${index}: the terms are the input's numbers`)
    // As many roundings as terms, of sums no larger than their size.
    assert.ok(Math.abs(sum - total) <= (terms + 1) * 2 ** -23 * size, `${className} ${index}: ${sum}, not ${total}`)
  }
})

test('the output is the prediction', async () => {
  const { predictions, last } = await page.evaluate(async () => ({
    predictions: element.inspection.predictions,
    last: [...(await element.inspection.output(6))],
  }))
  const labels = await page.evaluate(() => element.inspection.labels)
  const second = predictions.find(({ label }) => label === labels[1])
  assert.ok(Math.abs(second.confidence - last[0]) < 1e-5)
})

test('arrow keys go from number to number and are heard', async () => {
  await page.evaluate(() => element.choose(0))
  await page.evaluate(() => {
    // The middle, from where there are ways to all sides.
    const map = element.shadowRoot.querySelector('.map.pointable')
    const { left, top, width, height } = map.getBoundingClientRect()
    const done = pointed()
    map.dispatchEvent(new PointerEvent('pointermove', { clientX: left + width / 2, clientY: top + height / 2 }))
    return done
  })
  await page.locator('convlet-inspector .map.pointable').focus()
  const before = await page.evaluate(() => element.index)
  await page.keyboard.press('ArrowRight')
  await page.waitForFunction((before) => element.index === before + 32, before)
  await page.waitForFunction(() => /Row 31, column 32/.test(element.shadowRoot.querySelector('.hidden-text').textContent))
  await page.keyboard.press('ArrowDown')
  await page.waitForFunction((before) => element.index === before + 32 + 62 * 32, before)
})

test('play steps until it is paused', async () => {
  const before = await page.evaluate(() => element.index)
  await page.locator('convlet-inspector .play').click()
  await page.waitForFunction((before) => element.index > before, before)
  await page.locator('convlet-inspector .play').click()
  assert.equal(await page.locator('convlet-inspector .play').textContent(), 'Play')
})

test('two inspections of one network do not mix', async () => {
  const [first, again, second] = await page.evaluate(async () => {
    const { sharedModel } = await import('./elements/support/models.js')
    const classifier = await sharedModel('models/article.safetensors', { signal: new AbortController().signal })
    const other = await classifier.inspect(new ImageData(8, 8))
    const own = element.inspection
    const read = async (inspection) => (await inspection.arithmetic(0, 0)).output
    return [await read(own), (await own.output(0))[0], await read(other)]
  })
  assert.equal(first, again)
  assert.notEqual(first, second)
})

test('a heat-map is of its class', async () => {
  const maps = await page.evaluate(async () => {
    const { inspection } = element
    const kinds = ['activation', 'saliency']
    return Promise.all(kinds.map(async (kind) => {
      const { values, width, height } = await inspection.heatMap(kind, 1)
      return { width, height, length: values.length, low: Math.min(...values), high: Math.max(...values) }
    }))
  })
  assert.deepEqual(maps.map(({ width, height }) => [width, height]), [[29, 29], [64, 64]])
  for (const { width, height, length, low, high } of maps) {
    assert.equal(length, width * height)
    assert.ok(low >= 0 && high > 0)
  }
})

test('from the pointer to the arithmetic within a frame', async (t) => {
  const times = await page.evaluate(async () => {
    await element.choose(2)
    const map = element.shadowRoot.querySelector('.map.pointable')
    map.scrollIntoView()
    const { left, top, width, height } = map.getBoundingClientRect()
    const times = []
    for (let step = 0; step < 40; step++) {
      const began = performance.now()
      const done = pointed()
      const at = { clientX: left + (((step % 20) + 0.5) / 29) * width, clientY: top + ((5 + (step >> 4) + 0.5) / 29) * height }
      map.dispatchEvent(new PointerEvent('pointermove', at))
      await done
      times.push(performance.now() - began)
    }
    return times.sort((a, b) => a - b)
  })
  const median = times[times.length >> 1]
  t.diagnostic(`fastest ${times[0].toFixed(1)} ms, median ${times[20].toFixed(1)} ms, 90% below ${times[36].toFixed(1)} ms`)
  // What else the machine does only adds to what the inspector itself takes.
  assert.ok(times[0] < 16, `${times[0]} ms`)
})

test('axe finds nothing', async () => {
  assert.deepEqual(await axeFindings(page), [])
})

test('attached and removed 200 times it leaves nothing behind', async () => {
  const session = await page.context().newCDPSession(page)
  const grown = async (times) => {
    await page.evaluate(async (times) => {
      for (let i = 0; i < times; i++) {
        const one = Object.assign(document.createElement('convlet-inspector'))
        one.setAttribute('src', 'models/article.safetensors')
        document.body.append(one)
        await new Promise(requestAnimationFrame)
        one.remove()
      }
    }, times)
    await session.send('HeapProfiler.collectGarbage')
    return (await session.send('Runtime.getHeapUsage')).usedSize
  }
  const first = await grown(20)
  const last = await grown(180)
  assert.ok(last - first < 2e6, `${last - first} bytes more`)
  assertQuiet()
})
