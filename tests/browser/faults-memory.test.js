/**
 * Memory that ends while a model is loaded, a picture classified, a network trained. `PAGES=1 node --test
 * --test-timeout=3600000 faults-memory.test.js` ends it at every page there is: half an hour.
 */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { launch } from './support/browser.js'
import { openClient, serveClient } from './support/client-page.js'
import { answerWith } from './support/convlet-page.js'
import { firstPages, withMemoryLimit } from './support/faults.js'
import { WWW } from './support/server.js'

/** The engine's code: the whole, and the part that classifies. */
const CODE = ['convlet', 'classifier'].map((name) => readFileSync(join(WWW, `pkg/${name}_bg.wasm`)))

/** Pages of 64 KiB from one limit to the next. */
const STEP = Number(process.env.PAGES ?? 64)
/** More than all of it takes. */
const MOST = 4096

let browser, server

before(async () => {
  browser = await launch()
  server = await serveClient({
    ...Object.fromEntries(
      CODE.map((wasm, part) => [
        `/limited-${part}.wasm`,
        (request, response) => {
          const pages = Number(new URL(request.url, 'http://host').searchParams.get('pages'))
          answerWith(withMemoryLimit(wasm, pages), { 'content-type': 'application/wasm' })(request, response)
        },
      ]),
    ),
  })
})

after(async () => {
  await browser?.close()
  await server?.close()
})

/** What becomes of a load, a look at a large picture and some steps, with so many pages of memory. */
async function live(pages) {
  const [strict, part] = [0, 1].map((part) => `limited-${part}.wasm?pages=${pages}`)
  const { page, context } = await openClient(browser, server, { wasm: { strict, classifier: { strict: part } } })
  try {
    return await page.evaluate(async () => {
      const stages = {}
      const loaded = await outcome(Classifier.load('models/article.safetensors', { deterministic: true }))
      stages.load = loaded.code ? loaded : 'done'
      const own = loaded.code ? undefined : loaded
      if (own) {
        stages.large = await outcome(own.classify(new ImageData(2000, 1500)).then(() => 'done'))
        // The way on: a small picture.
        stages.small = await outcome(own.classify(red()).then(() => 'done'))
      }
      const trainer = await outcome(Trainer.create({ base: 'models/article.safetensors', labels: ['a', 'b'], deterministic: true, options: { epochs: 1 }, depth: 'whole' }))
      if (trainer.code) stages.train = trainer
      else {
        stages.train = await outcome(
          (async () => {
            for (let number = 0; number < 8; number++) await trainer.addExample(red(), number % 2 ? 'a' : 'b')
            await trainer.train()
            return 'done'
          })(),
        )
      }
      return stages
    })
  } finally {
    await context.close()
  }
}

test('memory that ends, at every allocation: said with the size, and what needs less goes on', async () => {
  const first = Math.min(...CODE.map(firstPages))
  const outcomes = []
  const isWhole = (stages) => Object.values(stages).every((result) => result === 'done')
  // Each step is some allocations later; the last has room for all.
  for (let pages = first; pages < MOST && !(outcomes.length > 0 && isWhole(outcomes.at(-1))); pages += STEP) outcomes.push(await live(pages))
  for (const stages of outcomes)
    for (const [stage, result] of Object.entries(stages)) {
      if (result === 'done') continue
      assert.equal(result.name, 'ConvletError', `${stage}: ${JSON.stringify(result)}`)
      assert.match(result.message, /memory|again and again/, stage)
    }
  assert.equal(outcomes[0].load.code, 'engine')
  assert.deepEqual(outcomes.at(-1), { load: 'done', large: 'done', small: 'done', train: 'done' })
  assert.ok(outcomes.some(({ large, small }) => large?.code && small === 'done'), 'a picture too large leaves the next one alone')
  assert.ok(outcomes.some(({ train, load }) => load === 'done' && train?.code))
})
