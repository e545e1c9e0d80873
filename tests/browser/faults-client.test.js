/** Faults of the network and of the worker, as the client meets them: each ends in words and in a way on. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { launch } from './support/browser.js'
import { openClient, serveClient } from './support/client-page.js'
import { answerWith } from './support/convlet-page.js'
import { answerCut } from './support/faults.js'
import { colourModel } from './support/models.js'
import { WWW } from './support/server.js'

/** The engine's code, by part. */
const CODE = { classifier: readFileSync(join(WWW, 'pkg/classifier_bg.wasm')), whole: readFileSync(join(WWW, 'pkg/convlet_bg.wasm')) }
/** Large enough to be cut a hundred times. */
const LARGE = colourModel({ metadata: { training: JSON.stringify({ notes: 'x'.repeat(100_000) }) } })
const KILOBYTE = 1024

let browser, server

before(async () => {
  browser = await launch()
  server = await serveClient({
    '/cut.safetensors': answerCut(LARGE),
    '/cut-classifier.wasm': answerCut(CODE.classifier, 'application/wasm'),
    '/cut-whole.wasm': answerCut(CODE.whole, 'application/wasm'),
    '/silent.safetensors': (_request, response) => response.writeHead(200, { 'content-length': 1000 }).write('x'),
    '/mute.safetensors': () => {},
    '/error.safetensors': (_request, response) => response.writeHead(500).end('broken'),
    '/page.safetensors': answerWith('<!doctype html>', { 'content-type': 'text/html' }),
    '/page-in-disguise.safetensors': answerWith('<!doctype html><title>Sign in</title>'),
    '/text.safetensors': answerWith(colourModel(), { 'content-type': 'text/plain' }),
    '/moved.safetensors': (_request, response) => response.writeHead(302, { location: 'colours.safetensors' }).end(),
    '/round.safetensors': (_request, response) => response.writeHead(302, { location: 'round.safetensors' }).end(),
    '/slow.safetensors': async (_request, response) => {
      const body = colourModel()
      response.writeHead(200, { 'content-length': body.length })
      for (let at = 0; at < body.length; at += 50) {
        response.write(body.subarray(at, at + 50))
        await new Promise((resolve) => setTimeout(resolve, 20))
      }
      response.end()
    },
  })
})

after(async () => {
  await browser?.close()
  await server?.close()
})

describe('a download', () => {
  let page, context
  before(async () => ({ page, context } = await openClient(browser, server)))
  after(() => context?.close())

  const load = (file) =>
    page.evaluate(async (file) => [await outcome(Classifier.load(file, { deterministic: true }).then(best)), await best(classifier)], file)

  for (const way of ['', '&chunked'])
    test(`of a model, cut at every kilobyte${way && ', its length unknown'}: said by name, the model at hand goes on`, async () => {
      const cuts = await page.evaluate(
        async ([length, step, way]) => {
          const cuts = []
          for (let cut = 0; cut < length; cut += step) cuts.push(await outcome(Classifier.load(`cut.safetensors?cut=${cut}${way}`, { deterministic: true })))
          return cuts
        },
        [LARGE.length, KILOBYTE, way],
      )
      assert.equal(cuts.length, Math.ceil(LARGE.length / KILOBYTE))
      for (const [place, { name, code, message }] of cuts.entries()) {
        assert.equal(name, 'ConvletError', `cut at ${place} kB`)
        assert.equal(code, 'network', `cut at ${place} kB: ${message}`)
        assert.match(message, /^cut\.safetensors: /)
      }
      assert.equal(await page.evaluate(() => best(classifier)), 'red')
    })

  for (const [file, code, message] of [
    ['nowhere', 'network', /^nowhere\.safetensors: the server answered 404/],
    ['error', 'network', /^error\.safetensors: the server answered 500/],
    ['page', 'file', /^page\.safetensors: expected a model file, got an HTML page/],
    ['page-in-disguise', 'file', /^page-in-disguise\.safetensors: /],
    ['round', 'network', /^round\.safetensors: could not be fetched/],
  ])
    test(`that ends in ${file}: said by name, the model at hand goes on`, async () => {
      const [failure, answer] = await load(`${file}.safetensors`)
      assert.equal(failure.code, code)
      assert.match(failure.message, message)
      assert.equal(answer, 'red')
    })

  for (const file of ['text', 'moved', 'slow'])
    test(`that is ${file} is as good as any`, async () => assert.deepEqual(await load(`${file}.safetensors`), ['red', 'red']))
})

for (const file of ['silent', 'mute'])
  test(`a download that stalls (${file}) is given up and said`, async () => {
    const { page, context } = await openClient(browser, server, { clock: true })
    const requested = page.waitForRequest(/(silent|mute)/)
    await page.evaluate((file) => void (globalThis.loading = outcome(Classifier.load(`${file}.safetensors`, { deterministic: true }))), file)
    await Promise.all([requested, page.evaluate(() => new Promise((resolve) => setTimeout(resolve, 100)))])
    await page.clock.fastForward(31_000)
    const { code, message } = await page.evaluate(() => loading)
    assert.equal(code, 'network')
    assert.match(message, /safetensors: the server sent nothing for 30 seconds/)
    assert.equal(await page.evaluate(() => best(classifier)), 'red')
    await context.close()
  })

for (const part of ['classifier', 'whole'])
  test(`the engine’s code, ${part}, cut at every kilobyte: said, and the next try gets it whole`, async () => {
    const { length } = CODE[part]
    const { page, context } = await openClient(browser, server, { wasm: { strict: `cut-${part}.wasm?cut=0` } })
    const cuts = await page.evaluate(
      async ([part, length, step]) => {
        const cuts = []
        for (let cut = 0; cut < length; cut += step) {
          const strict = `cut-${part}.wasm?cut=${cut}`
          setWasm(part === 'whole' ? { strict } : { classifier: { strict } })
          cuts.push(await outcome(compileEngine('strict', part)))
        }
        return cuts
      },
      [part, length, KILOBYTE],
    )
    assert.equal(cuts.length, Math.ceil(length / KILOBYTE))
    for (const { code, message } of cuts) {
      assert.equal(code, 'engine')
      assert.match(message, /^the engine cannot be loaded: /)
    }
    const answer = await page.evaluate(async (part) => {
      setWasm({})
      const classifier = await Classifier.load('colours.safetensors', { deterministic: true, inspect: part === 'whole' })
      if (part === 'whole') await classifier.inspect(red())
      return best(classifier)
    }, part)
    assert.equal(answer, 'red')
    await context.close()
  })

describe('a worker that is killed', () => {
  let page, context
  before(async () => ({ page, context } = await openClient(browser, server)))
  after(() => context?.close())

  test('while it loads a model or classifies: another does it, and nobody notices', async () => {
    const result = await page.evaluate(async () => {
      killAt('open')
      const second = await Classifier.load('colours.safetensors', { deterministic: true })
      killAt('classify')
      const answers = [await best(second)]
      killAt('classify')
      answers.push(await best(second, await createImageBitmap(red())))
      return { answers: [...answers, await best(classifier)], killed }
    })
    assert.deepEqual(result, { answers: ['red', 'red', 'red'], killed: ['open', 'classify', 'classify'] })
  })

  test('time and again: said, and what comes after it is answered', async () => {
    const [{ code, message }, answer] = await page.evaluate(async () => {
      killAt('classify', 5)
      const failure = await outcome(best(classifier))
      killAt('', 0)
      return [failure, await best(classifier)]
    })
    assert.equal(code, 'engine')
    assert.match(message, /the engine cannot run: out of memory/)
    assert.equal(answer, 'red')
  })

  test('while it is taught, at every kind of work: the weights are the same', async () => {
    const { digests, deaths } = await page.evaluate(async () => {
      const digest = async (victim) => {
        killed.length = 0
        const trainer = await Trainer.create({ base: 'models/article.safetensors', labels: ['a', 'b'], deterministic: true, options: { epochs: 3 } })
        const arm = (operation) => operation === victim && killAt(operation)
        for (let number = 0; number < 8; number++) {
          if (number === 5) arm('addPicture')
          const picture = red()
          picture.data.fill(number * 30, 0, 99)
          await trainer.addExample(number % 2 ? picture : await createImageBitmap(picture), number % 2 ? 'a' : 'b')
        }
        for (const operation of ['defaults', 'begin', 'advance', 'checkpoint', 'finish']) arm(operation)
        await trainer.train({ checkpointEvery: 1 })
        arm('evaluate')
        await trainer.evaluate()
        arm('examine')
        await trainer.classify(await createImageBitmap(red()))
        arm('save')
        const bytes = await (await trainer.save()).arrayBuffer()
        await trainer.dispose()
        return [...new Uint8Array(await crypto.subtle.digest('SHA-256', bytes))].join()
      }
      const digests = { nothing: await digest('') }
      const deaths = {}
      for (const victim of ['addPicture', 'begin', 'advance', 'checkpoint', 'finish', 'evaluate', 'examine', 'save']) {
        digests[victim] = await digest(victim)
        deaths[victim] = killed.length
      }
      return { digests, deaths }
    })
    for (const [victim, digest] of Object.entries(digests)) assert.equal(digest, digests.nothing, victim)
    for (const [victim, count] of Object.entries(deaths)) assert.equal(count, 1, victim)
  })
})
