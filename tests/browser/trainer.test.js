/** The trainer as a developer uses it, unbundled, over the real worker. */
import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { launch, newPage } from './support/browser.js'
import { serveClient } from './support/client-page.js'
import { WWW } from './support/server.js'

let browser, server, page

before(async () => {
  browser = await launch()
  server = await serveClient()
  ;({ page } = await newPage(browser))
  await page.goto(`${server.url}blank.html`)
  await page.evaluate(setUp)
})

after(async () => {
  await browser?.close()
  await server?.close()
})

/** Runs in the page: what all tests share. */
async function setUp() {
  Object.assign(globalThis, await import('./client/convlet.js'))
  const { Engine } = await import('./client/engine.js')
  const labels = ['disc', 'stripes', 'frame']
  const draw = {
    disc: (c, at) => (c.beginPath(), c.arc(24 + at, 32, 16, 0, 7), c.fill()),
    stripes: (c, at) => [0, 16, 32, 48].forEach((y) => c.fillRect(0, y + (at % 8), 64, 7)),
    frame: (c, at) => c.strokeRect(8 + at, 12, 40, 40),
  }
  /** A drawing of 64 x 64, one of many of its kind. */
  const picture = (label, number) => {
    const context = new OffscreenCanvas(64, 64).getContext('2d')
    context.fillStyle = `hsl(${number * 47} 60% ${70 + (number % 3) * 10}%)`
    context.fillRect(0, 0, 64, 64)
    context.fillStyle = context.strokeStyle = `hsl(${number * 71} 70% 25%)`
    context.lineWidth = 7
    draw[label](context, (number * 5) % 16)
    return context.getImageData(0, 0, 64, 64)
  }
  const base = 'models/article.safetensors'
  const create = (options = {}) => Trainer.create({ base, labels, deterministic: true, ...options })
  /** Adds `count` drawings of each kind, in a fixed order. */
  const fill = async (trainer, count = 8) => {
    for (let number = 0; number < count; number++)
      for (const label of labels) await trainer.addExample(picture(label, number), label)
    return trainer
  }
  const digest = async (trainer) => {
    const bytes = await (await trainer.save()).arrayBuffer()
    return [...new Uint8Array(await crypto.subtle.digest('SHA-256', bytes))].join()
  }
  /** The worker dies as it does when wasm traps; none is known that does, so it is told to do what it cannot. */
  const kill = () => Engine.for({ deterministic: true }).call('no such operation').catch(({ code }) => code)
  const outcome = (promise) => promise.then(() => 'resolved', ({ name, code, message }) => ({ name, code, message }))
  Object.assign(globalThis, { labels, picture, create, fill, digest, kill, outcome })
}

test('three classes of drawings are told apart, by the last layer and by the whole network', async () => {
  const results = await page.evaluate(async () => {
    const results = []
    for (const depth of ['head', 'whole']) {
      const trainer = await fill(await create({ depth, options: { epochs: depth === 'head' ? 40 : 8 } }), 12)
      const epochs = []
      let steps = 0
      await trainer.train({ onStep: () => steps++, onEpochEnd: (epoch, logs) => void epochs.push([epoch, logs]) })
      const named = []
      for (const label of labels) named.push((await trainer.classify(picture(label, 40)))?.predictions[0].label)
      const evaluation = await trainer.evaluate()
      const classifier = await trainer.toClassifier()
      const same = await classifier.examine(picture('disc', 40))
      const own = await trainer.classify(picture('disc', 40))
      results.push({
        depth, steps, epochs, named, evaluation: { ...evaluation, predictions: evaluation.predictions.length },
        counts: trainer.counts, labels: classifier.labels, training: classifier.training,
        difference: Math.max(...same.probabilities.map((p, i) => Math.abs(p - own.probabilities[i]))),
      })
      await trainer.dispose()
      await classifier.dispose()
    }
    return results
  })
  for (const { depth, steps, epochs, named, evaluation, counts, labels, training, difference } of results) {
    assert.deepEqual(named, ['disc', 'stripes', 'frame'], depth)
    assert.ok(steps > 0)
    assert.deepEqual(epochs.map(([epoch]) => epoch), epochs.map((_, index) => index))
    assert.ok(epochs.at(-1)[1].loss < epochs[0][1].loss - 0.3, `${depth}: ${JSON.stringify(epochs.at(-1))}`)
    assert.ok(epochs.at(-1)[1].accuracy > 0.9, `${depth}: ${JSON.stringify(epochs.at(-1))}`)
    assert.ok(epochs.at(-1)[1].val_accuracy > 0.6, depth)
    assert.deepEqual(counts, { training: 33, validation: 3 })
    assert.equal(evaluation.split, 'validation')
    assert.equal(evaluation.predictions, 3)
    assert.equal(evaluation.confusion.flat().reduce((a, b) => a + b), 3)
    assert.deepEqual(labels, ['disc', 'stripes', 'frame'])
    assert.equal(training.recipe.depth, depth)
    assert.ok(difference < 1e-5, `${depth}: ${difference}`)
  }
})

test('classifying and pausing are answered while it trains', async () => {
  const result = await page.evaluate(async () => {
    const trainer = await fill(await create({ depth: 'whole', options: { epochs: 200 } }))
    let steps = 0
    const training = trainer.train({ onStep: () => steps++ })
    while (steps < 2) await new Promise((resolve) => setTimeout(resolve, 5))
    const answers = []
    for (let i = 0; i < 5; i++) answers.push((await trainer.classify(picture('disc', i))).probabilities.length)
    trainer.pause()
    await new Promise((resolve) => setTimeout(resolve, 300))
    const [paused, state] = [steps, trainer.state]
    await trainer.classify(picture('disc', 3))
    await new Promise((resolve) => setTimeout(resolve, 300))
    const still = steps === paused
    trainer.resume()
    while (steps < paused + 2) await new Promise((resolve) => setTimeout(resolve, 5))
    trainer.stop()
    await training
    const after = steps
    const named = (await trainer.classify(picture('disc', 3))).predictions.length
    await trainer.dispose()
    return { answers, still, state, after, idle: trainer.state, named }
  })
  assert.deepEqual(result.answers, [3, 3, 3, 3, 3])
  assert.ok(result.still)
  assert.equal(result.state, 'paused')
  assert.equal(result.idle, 'idle')
  assert.equal(result.named, 3)
})

for (const depth of ['head', 'whole'])
  test(`${depth}: interrupted or with its worker killed, it ends in the same weights`, async () => {
    const result = await page.evaluate(async (depth) => {
      // Enough that neither is over before it is interrupted.
      const options = { epochs: depth === 'head' ? 400 : 4, emaMomentum: 0.9, restoreBestWeights: true }
      const whole = await fill(await create({ depth, options }))
      await whole.train()
      const expected = await digest(whole)
      await whole.train()
      const again = await digest(whole)

      // Killed twice: before there is a checkpoint, and after.
      const killed = await fill(await create({ depth, options }))
      const epochs = []
      let [steps, checkpoints] = [0, 0]
      const codes = []
      await killed.train({
        checkpointEvery: 1,
        onStep: () => void (++steps === 1 && kill().then((code) => codes.push(code))),
        onCheckpoint: async () => void (++checkpoints === 3 && codes.push(await kill())),
        onEpochEnd: (epoch) => void epochs.push(epoch),
      })
      const survived = await digest(killed)
      await kill()
      const restored = await digest(killed)

      // Interrupted in the middle of an epoch: a trainer of its own goes on.
      const first = await fill(await create({ depth, options }))
      let checkpoint
      let count = 0
      const controller = new AbortController()
      const given = await outcome(
        first.train({
          signal: controller.signal,
          checkpointEvery: 1,
          onCheckpoint: (bytes) => {
            if (++count < 3) return
            checkpoint = bytes
            controller.abort()
          },
        }),
      )
      await first.dispose()
      const second = await fill(await Trainer.resume(checkpoint, { base: 'models/article.safetensors', labels, depth, options, deterministic: true }))
      await second.train()
      const resumed = await digest(second)
      for (const trainer of [whole, killed, second]) await trainer.dispose()
      return { expected, again, survived, restored, resumed, codes, epochs, given, total: options.epochs }
    }, depth)
    assert.deepEqual(result.codes, ['engine', 'engine'])
    assert.equal(result.given.name, 'AbortError')
    assert.deepEqual(result.epochs, Array.from({ length: result.total }, (_, epoch) => epoch))
    for (const way of ['again', 'survived', 'restored', 'resumed']) assert.equal(result[way], result.expected, way)
  })

test('a training that diverges says so, rolls back and can be begun anew', async () => {
  const result = await page.evaluate(async () => {
    const trainer = await fill(await create({ depth: 'whole', options: { epochs: 3 } }))
    const outcomes = [await outcome(trainer.train({ options: { learningRate: 1e30, globalClipnorm: 1e30 } }))]
    const finite = (await trainer.classify(picture('disc', 1))).probabilities.every((p) => p >= 0 && p <= 1)
    outcomes.push(await outcome(trainer.train()))
    await trainer.dispose()
    return { outcomes, finite }
  })
  assert.equal(result.outcomes[0].code, 'divergence')
  assert.match(result.outcomes[0].message, /lower learning rate/)
  assert.ok(result.finite)
  assert.equal(result.outcomes[1], 'resolved')
})

test('from scratch, from an architecture; examples taken away and relabelled; previews', async () => {
  const result = await page.evaluate(async () => {
    const layer = (class_name, config) => ({ class_name, config })
    const architecture = { class_name: 'Sequential', config: { name: 'own', layers: [
      layer('InputLayer', { name: 'in', batch_shape: [null, 32, 32, 3] }),
      layer('Conv2D', { name: 'conv', filters: 8, kernel_size: 3, use_bias: false }), layer('BatchNormalization', { name: 'norm' }),
      layer('ReLU', { name: 'relu' }), layer('GlobalAveragePooling2D', { name: 'mean' }), layer('Dense', { name: 'dense', units: 9, activation: 'softmax' }),
    ] } }
    const summary = await Trainer.summarize(architecture, { deterministic: true })
    const bad = await outcome(Trainer.summarize({}, { deterministic: true }))
    const trainer = await fill(await create({ base: { architecture }, depth: 'scratch', options: { epochs: 3 } }))
    const wrong = await outcome(trainer.addExample(picture('disc', 1), 'ball'))
    await trainer.relabel(0, 'frame')
    await trainer.removeExample(1)
    await trainer.train()
    const previews = await trainer.preview(picture('disc', 1), { augment: { rotationRange: 30 }, seed: 1, count: 2 })
    const plain = await trainer.preview(picture('disc', 1), { augment: false, count: 1 })
    const { labels: names } = await trainer.toClassifier()
    const result = {
      parameters: summary.parameters, rows: summary.layers.length, bad, wrong, names, input: trainer.input, counts: trainer.counts,
      sizes: previews.map(({ width, height }) => [width, height]), differ: previews[0].data.some((v, i) => v !== plain[0].data[i]),
      refused: [],
    }
    const refused = [{ epoch: 3 }, { epochs: 1.5 }, { learningRate: NaN }, { seed: 5n }, { earlyStopping: {} }, { augment: { zoomRange: [1, Infinity] } }, { augment: { rotation: 3 } }]
    for (const options of refused) result.refused.push(await outcome(trainer.train({ options })))
    for (const depth of [undefined, 1]) result.refused.push(await outcome(Trainer.defaults(depth)))
    result.refused.push(await outcome(trainer.preview(picture('disc', 1), { augment: { rotation: 3 } })))
    await trainer.dispose()
    return result
  })
  assert.equal(result.parameters, 216 + 32 + 81)
  assert.equal(result.rows, 5)
  assert.equal(result.bad.code, 'architecture')
  assert.equal(result.wrong.code, 'argument')
  assert.deepEqual(result.names, ['disc', 'stripes', 'frame'])
  assert.equal(result.input.height, 32)
  assert.equal(result.counts.training + result.counts.validation, 23)
  assert.deepEqual(result.sizes, [[32, 32], [32, 32]])
  assert.ok(result.differ)
  assert.deepEqual(result.refused.map(({ code }) => code), result.refused.map(() => 'argument'))
  const messages = result.refused.map(({ message }) => message)
  const expected = [
    /^options: epoch: expected one of depth, epochs, batch_size/,
    /^options: epochs: expected a whole number, got 1\.5$/,
    /^options: learningRate: expected a finite number, got NaN$/,
    /^options: seed: expected a number, true, false, null or a name, got bigint$/,
    /^options: earlyStopping: expected a number, true, false, null or a name, got object$/,
    /^augment: zoomRange: expected a finite number, got Infinity$/,
    /^options: augment: rotation: expected one of rotation_range, /,
    /^depth: expected head, whole or scratch, got "undefined"$/,
    /^depth: expected head, whole or scratch, got "1"$/,
    /^augment: rotation: expected one of rotation_range, /,
  ]
  for (const [i, message] of messages.entries()) assert.match(message, expected[i])
})

test('the classifier alone never loads the trainer', async () => {
  const { page, requests } = await newPage(browser)
  await page.goto(`${server.url}blank.html`)
  await page.evaluate(async () => {
    const { Classifier } = await import('./client/classifier.js')
    const classifier = await Classifier.load('models/article.safetensors')
    await classifier.classify(new ImageData(8, 8))
  })
  assert.deepEqual(requests.filter((url) => /tutor|trainer/.test(url)), [])
  const source = await readFile(join(WWW, 'client/classifier.js'), 'utf8')
  assert.doesNotMatch(source, /trainer\.js|tutor\.js/)
})
