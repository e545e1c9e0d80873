/** The engine in parts: who only classifies fetches the part that can; the whole takes its place when more is asked. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { launch, newPage } from './support/browser.js'
import { openClient, serveClient } from './support/client-page.js'
import { answerWith } from './support/convlet-page.js'
import { WWW } from './support/server.js'

let browser, server

before(async () => {
  browser = await launch()
  server = await serveClient({
    '/model.safetensors': answerWith(readFileSync(join(WWW, '../tests/fixtures/keras.safetensors'))),
  })
})

after(async () => {
  await browser?.close()
  await server?.close()
})

/** The names of the wasm files among the requests, in their order. */
const binaries = (requests) => requests.filter((url) => url.endsWith('.wasm')).map((url) => url.split('/').at(-1))

test('what is asked of a network decides how much of the engine is fetched, once each', async () => {
  const { page, context, requests } = await openClient(browser, server)
  assert.equal(await page.evaluate(() => best(classifier)), 'red')
  assert.deepEqual(binaries(requests), ['classifier_bg.wasm'])
  // Looked into: the whole takes over, with what is open.
  const layers = await page.evaluate(async () => (await classifier.inspect(red())).layers.length)
  assert.ok(layers > 0)
  assert.equal(await page.evaluate(() => best(classifier)), 'red')
  const labels = await page.evaluate(async () => {
    const trainer = await Trainer.create({ base: 'colours.safetensors', labels: ['a', 'b'], deterministic: true, options: { epochs: 1 } })
    for (let number = 0; number < 4; number++) await trainer.addExample(red(), number % 2 ? 'a' : 'b')
    await trainer.train()
    return (await trainer.classify(red())).predictions.map(({ label }) => label).sort().join()
  })
  assert.equal(labels, 'a,b')
  assert.deepEqual(binaries(requests), ['classifier_bg.wasm', 'convlet_bg.wasm'])
  assert.equal(page.workers().length, 1)
  await context.close()
})

test('`inspect: true`, or a training, fetches the whole at once and nothing beside it', async () => {
  for (const use of [
    () => Classifier.load('colours.safetensors', { deterministic: true, inspect: true }).then((own) => own.inspect(new ImageData(9, 9))),
    () => Trainer.create({ base: 'colours.safetensors', labels: ['a', 'b'], deterministic: true }),
  ]) {
    const { page, context, requests } = await newPage(browser)
    await page.goto(`${server.url}blank.html`)
    await page.evaluate(async () => void Object.assign(globalThis, await import('./client/convlet.js')))
    await page.evaluate(use)
    assert.deepEqual(binaries(requests), ['convlet_bg.wasm'])
    await context.close()
  }
})

test('both parts say the same, to the last bit', async () => {
  const { page, context, requests } = await openClient(browser, server)
  const [part, whole] = await page.evaluate(async () => {
    const picture = new ImageData(70, 50)
    for (let at = 0; at < picture.data.length; at++) picture.data[at] = at % 4 === 3 ? 255 : ((at * 7919) >> 5) & 255
    const own = await Classifier.load('model.safetensors', { deterministic: true })
    const part = await own.classify(picture)
    await own.inspect(picture)
    return [part, await own.classify(picture)]
  })
  assert.deepEqual(whole, part)
  assert.deepEqual(binaries(requests), ['classifier_bg.wasm', 'convlet_bg.wasm'])
  await context.close()
})

test('the whole that cannot be fetched: said, what classifies goes on, and the next try may succeed', async () => {
  const { page, context } = await openClient(browser, server)
  await page.route('**/convlet_bg.wasm', (route) => route.fulfill({ status: 503 }))
  const failed = await page.evaluate(() => outcome(classifier.inspect(red())))
  assert.equal(failed.code, 'engine')
  assert.match(failed.message, /^the engine cannot be loaded: the server answered 503/)
  assert.equal(await page.evaluate(() => best(classifier)), 'red')
  assert.equal(page.workers().length, 1)
  await page.unroute('**/convlet_bg.wasm')
  assert.ok(await page.evaluate(async () => (await classifier.inspect(red())).layers.length > 0))
  assert.equal(await page.evaluate(() => best(classifier)), 'red')
  await context.close()
})

for (const [name, part, whole] of [
  ['the part comes late', { after: 500 }, {}],
  ['the part comes late and fails', { after: 500, status: 503 }, {}],
  ['the part fails', { status: 503 }, {}],
  ['both fail', { status: 503 }, { status: 503 }],
])
  test(`asked for at once, ${name}: one worker is left, and all goes on once the server does`, async () => {
    const { page, context } = await newPage(browser)
    await page.goto(`${server.url}blank.html`)
    await page.evaluate(async () => void Object.assign(globalThis, await import('./client/convlet.js')))
    for (const [file, { after = 0, status }] of [['classifier', part], ['convlet', whole]])
      await page.route(`**/${file}_bg.wasm`, async (route) => {
        await new Promise((resolve) => setTimeout(resolve, after))
        await (status ? route.fulfill({ status }) : route.continue())
      })
    const ask = () =>
      page.evaluate(async () => {
        const settled = await Promise.allSettled([
          Classifier.load('colours.safetensors', { deterministic: true }).then((own) => own.classify(new ImageData(9, 9))),
          Trainer.defaults('head', { deterministic: true }),
        ])
        return settled.map(({ status, reason }) => reason?.message ?? status)
      })
    const first = await ask()
    for (const [place, { status }] of [part, whole].entries())
      if (status) assert.match(first[place], /^(fulfilled$|the engine cannot be loaded: the server answered 503)/)
      else assert.equal(first[place], 'fulfilled')
    await page.unrouteAll()
    assert.deepEqual(await ask(), ['fulfilled', 'fulfilled'])
    assert.equal(page.workers().length, 1)
    await context.close()
  })

test('while the whole is fetched, the part goes on', async () => {
  const { page, context } = await openClient(browser, server)
  let come = () => {}
  const held = new Promise((resolve) => (come = resolve))
  await page.route('**/convlet_bg.wasm', async (route) => {
    await held
    await route.continue()
  })
  await page.evaluate(() => void (globalThis.inspecting = classifier.inspect(red())))
  await page.waitForRequest('**/convlet_bg.wasm')
  assert.equal(await page.evaluate(() => best(classifier)), 'red')
  come()
  assert.ok(await page.evaluate(async () => (await inspecting).layers.length > 0))
  await context.close()
})

test('a page that sets the engine’s place: the whole alone serves all, the part serves where it is set too', async () => {
  for (const [wasm, expected] of [
    [{ strict: 'pkg/convlet_bg.wasm' }, ['convlet_bg.wasm']],
    [{ strict: 'pkg/convlet_bg.wasm', classifier: { strict: 'pkg/classifier_bg.wasm' } }, ['classifier_bg.wasm', 'convlet_bg.wasm']],
  ]) {
    const { page, context, requests } = await newPage(browser)
    await page.goto(`${server.url}blank.html`)
    await page.evaluate(async (wasm) => {
      const { Classifier, setWasm } = await import('./client/convlet.js')
      setWasm(wasm)
      const classifier = await Classifier.load('colours.safetensors')
      await classifier.classify(new ImageData(9, 9))
      await classifier.inspect(new ImageData(9, 9))
    }, wasm)
    assert.deepEqual(binaries(requests), expected)
    await context.close()
  }
})
