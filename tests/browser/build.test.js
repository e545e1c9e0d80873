/** The two builds of the engine, and the part that classifies: which is fetched, and that all say the same. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { launch, newPage } from './support/browser.js'
import { serveClient } from './support/client-page.js'
import { answerWith } from './support/convlet-page.js'
import { png } from './support/pictures.js'
import { WWW } from './support/server.js'

/** Confidences are at most 1, and the sums below them less than a hundred steps long. */
const TOLERANCE = 1e-5

/** The most bytes that a visitor downloads for the engine, compressed as a server does: what it is now, and a little. */
const BUDGETS = { classifier: 109_000, convlet: 200_000 }

const fixture = readFileSync(join(WWW, '../tests/fixtures/keras.safetensors'))
const picture = png(40, 30, (x, y) => [(x * 53 + y * 31) % 256, (x * y * 7) % 256, (x * 5 + y * 97) % 256])

let browser, server

before(async () => {
  browser = await launch()
  server = await serveClient({
    '/model.safetensors': answerWith(fixture),
    '/picture.png': answerWith(picture, { 'content-type': 'image/png' }),
  })
})

after(async () => {
  await browser?.close()
  await server?.close()
})

/** A fresh page that classifies the picture once with each of `options`: the answers, and the wasm it fetched. */
async function classifyWith(...options) {
  const { page, context, requests, assertQuiet } = await newPage(browser)
  await page.goto(`${server.url}blank.html`)
  const answers = await page.evaluate(async (options) => {
    const { Classifier } = await import('./client/convlet.js')
    const picture = await (await fetch('picture.png')).blob()
    const answers = []
    for (const option of options) {
      const classifier = await Classifier.load('model.safetensors', option)
      answers.push(await classifier.classify(picture))
    }
    return answers
  }, options)
  assertQuiet()
  await context.close()
  const fetched = requests.filter((url) => url.endsWith('.wasm')).map((url) => url.split('/').at(-1))
  return { answers, fetched }
}

test('deterministic fetches the strict build alone, and once', async () => {
  const { fetched } = await classifyWith({ deterministic: true }, { deterministic: true })
  assert.deepEqual(fetched, ['classifier_bg.wasm'])
})

test('a browser with relaxed vectors fetches the relaxed build alone, and once', async () => {
  const { fetched } = await classifyWith({}, {})
  assert.deepEqual(fetched, ['classifier_relaxed_bg.wasm'])
})

test('both builds give the same answer, side by side on one page', async () => {
  const { answers } = await classifyWith({}, { deterministic: true })
  const [relaxed, strict] = answers
  assert.deepEqual(relaxed.map(({ label }) => label), strict.map(({ label }) => label))
  for (const [index, { confidence }] of relaxed.entries())
    assert.ok(Math.abs(confidence - strict[index].confidence) <= TOLERANCE, `${confidence}, ${strict[index].confidence}`)
})

test('each build stays within the budget of bytes, and names no directory of the machine it was made on', () => {
  for (const [part, budget] of Object.entries(BUDGETS))
    for (const name of [`${part}_bg.wasm`, `${part}_relaxed_bg.wasm`]) {
      const wasm = readFileSync(join(WWW, 'pkg', name))
      const { length } = gzipSync(wasm, { level: 9 })
      assert.ok(length <= budget, `${name}: expected at most ${budget} bytes with gzip, got ${length}`)
      for (const place of [homedir(), join(WWW, '..')]) assert.ok(!wasm.includes(`${place}/`), `${name} names ${place}`)
    }
})
