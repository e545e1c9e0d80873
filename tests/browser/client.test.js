/** The client's modules as a developer uses them, unbundled. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { launch, newPage } from './support/browser.js'
import { serveClient } from './support/client-page.js'
import { answerWith } from './support/convlet-page.js'
import { colourModel } from './support/models.js'
import { plainPng } from './support/pictures.js'

let browser, server, page, assertQuiet

before(async () => {
  browser = await launch()
  server = await serveClient({
    '/red.png': answerWith(plainPng(20, 10, [220, 30, 40]), { 'content-type': 'image/png' }),
    '/stalled.safetensors': (_request, response) => response.writeHead(200, { 'content-length': 1000 }).write('x'),
  })
  ;({ page, assertQuiet } = await newPage(browser))
  await page.goto(`${server.url}blank.html`)
  await page.evaluate(async () => {
    Object.assign(globalThis, await import('./client/convlet.js'))
    globalThis.classifier = await Classifier.load('colours.safetensors')
    globalThis.image = Object.assign(new Image(), { src: 'red.png' })
    globalThis.outcome = (promise) => promise.then(() => 'resolved', ({ name, code, message }) => ({ name, code, message }))
  })
})

after(async () => {
  await browser?.close()
  await server?.close()
})

test('every kind of source is classified alike', async () => {
  const answers = await page.evaluate(async () => {
    await image.decode()
    const draw = (canvas) => {
      canvas.getContext('2d').drawImage(image, 0, 0)
      return canvas
    }
    const canvas = draw(Object.assign(document.createElement('canvas'), { width: 20, height: 10 }))
    const blob = await (await fetch('red.png')).blob()
    const sources = {
      image,
      canvas,
      offscreen: draw(new OffscreenCanvas(20, 10)),
      bitmap: await createImageBitmap(image),
      data: canvas.getContext('2d').getImageData(0, 0, 20, 10),
      blob,
      file: new File([blob], 'red.png', { type: 'image/png' }),
    }
    const answers = {}
    for (const [name, source] of Object.entries(sources)) answers[name] = await classifier.classify(source)
    return answers
  })
  for (const [source, predictions] of Object.entries(answers)) {
    assert.deepEqual(predictions, answers.image, source)
    assert.equal(predictions[0].label, 'red')
    assert.ok(Math.abs(predictions.reduce((sum, { confidence }) => sum + confidence, 0) - 1) < 1e-6)
  }
})

test('a source can be classified twice', async () => {
  const counts = await page.evaluate(async () => {
    const bitmap = await createImageBitmap(image)
    await classifier.classify(bitmap)
    return (await classifier.classify(bitmap)).length
  })
  assert.equal(counts, 3)
})

test('topK limits the answers, highest first', async () => {
  const predictions = await page.evaluate(() => classifier.classify(image, { topK: 2 }))
  assert.equal(predictions.length, 2)
  assert.ok(predictions[0].confidence > predictions[1].confidence)
})

test('progress is told in bytes to the end', async () => {
  const reports = await page.evaluate(async () => {
    const reports = []
    await Classifier.load('colours.safetensors', { onProgress: (progress) => reports.push(progress) })
    return reports
  })
  const total = colourModel().length
  assert.deepEqual(reports[0], { file: 'colours.safetensors', loaded: 0, total, progress: 0 })
  assert.deepEqual(reports.at(-1), { file: 'colours.safetensors', loaded: total, total, progress: 1 })
})

test('a load that stalls can be aborted', async () => {
  const outcome = await page.evaluate(() => {
    const controller = new AbortController()
    setTimeout(() => controller.abort(), 100)
    return globalThis.outcome(Classifier.load('stalled.safetensors', { signal: controller.signal }))
  })
  assert.equal(outcome.name, 'AbortError')
})

test('a classification can be aborted, before and while it waits', async () => {
  const outcomes = await page.evaluate(async () => {
    const controller = new AbortController()
    const busy = Array.from({ length: 20 }, () => classifier.classify(image))
    const waiting = globalThis.outcome(classifier.classify(image, { signal: controller.signal }))
    controller.abort()
    const early = globalThis.outcome(classifier.classify(image, { signal: controller.signal }))
    await Promise.all(busy)
    return [await waiting, await early, (await classifier.classify(image))[0].label]
  })
  assert.deepEqual([outcomes[0].name, outcomes[1].name, outcomes[2]], ['AbortError', 'AbortError', 'red'])
})

test('after dispose, classify says so, and others go on', async () => {
  const [outcome, other] = await page.evaluate(async () => {
    const second = await Classifier.load('colours.safetensors')
    await second.dispose()
    await second.dispose()
    return [await globalThis.outcome(second.classify(image)), (await classifier.classify(image))[0].label]
  })
  assert.equal(outcome.name, 'ConvletError')
  assert.equal(outcome.code, 'argument')
  assert.equal(other, 'red')
})

test('errors carry a code', async () => {
  const codes = await page.evaluate(async () => {
    const bad = (bytes) => globalThis.outcome(Classifier.load(new File([bytes], 'bad.safetensors')))
    const outcomes = [
      await globalThis.outcome(Classifier.load('nowhere.safetensors')),
      await bad('<html>'),
      await globalThis.outcome(classifier.classify(new Blob(['no picture']))),
    ]
    return outcomes.map(({ name, code }) => [name, code])
  })
  assert.deepEqual(codes, [
    ['ConvletError', 'network'],
    ['ConvletError', 'file'],
    ['ConvletError', 'picture'],
  ])
})

test('a worker that dies is replaced, with every model open in it', async () => {
  const labels = await page.evaluate(async () => {
    const { Engine } = await import('./client/engine.js')
    const { ConvletError } = await import('./client/errors.js')
    // What traps in wasm is a bug of ours; none is known, so the worker is told to do what it cannot.
    const failure = await Engine.for({}).call('no such operation').catch((error) => error)
    return [failure instanceof ConvletError && failure.code, (await classifier.classify(image))[0].label]
  })
  assert.deepEqual(labels, ['engine', 'red'])
})

