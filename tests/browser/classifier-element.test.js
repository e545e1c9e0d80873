/** `<convlet-classifier>`, as a writer uses it. */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { after, before, test } from 'node:test'
import { launch } from './support/browser.js'
import { openElements, serveElements } from './support/elements-page.js'
import { assertNothingGrows } from './support/holdings.js'
import { colourModel, COLOUR_TENSORS } from './support/models.js'
import { plainPng } from './support/pictures.js'

const model = colourModel()
const red = plainPng(20, 10, [220, 30, 40])
const green = plainPng(20, 10, [20, 230, 40])
/** Knows only what is nearly grey, by the three means; how certain the answer is says nothing. */
const wary = colourModel({
  metadata: {
    confidence: JSON.stringify({
      threshold: 2,
      certainty: [0, 1e6],
      layers: [{ name: 'pool', distance: [0, 1] }],
    }),
  },
  tensors: {
    ...COLOUR_TENSORS,
    'confidence/pool/mean': { shape: [3], values: [-0.7, -0.7, -0.7] },
    'confidence/pool/whitening': { shape: [3, 3], values: [10, 0, 0, 0, 10, 0, 0, 0, 10] },
  },
})
const files = {
  '/colours.safetensors': model,
  '/wary.safetensors': wary,
  '/red.png': red,
  '/green.png': green,
  '/grey.png': plainPng(20, 10, [130, 125, 128]),
}
const integrity = `sha256-${createHash('sha256').update(model).digest('base64')}`

let browser, server

before(async () => {
  browser = await launch(['--use-fake-device-for-media-stream', '--use-fake-ui-for-media-stream'])
  server = await serveElements(files)
})

after(async () => {
  await browser?.close()
  await server?.close()
})

const open = (options) => openElements(browser, server, ['convlet-classifier'], options)

/** The bars of the element `id`, and the answer above them. */
const shown = (page, id) =>
  page.locator(`#${id}`).evaluate(({ shadowRoot }) => ({
    answer: shadowRoot.querySelector('.answer').textContent,
    bars: [...shadowRoot.querySelectorAll('.bar-label')].map((label) => label.textContent),
    state: shadowRoot.querySelector('.state').textContent,
  }))

for (const width of [320, 360, 480, 1280])
  test(`${width} pixels wide: as high with an answer as before the network was there`, async () => {
    const { page, context } = await open({ viewport: { width, height: 900 } })
    const heights = await page.evaluate(async () => {
      const element = add('convlet-classifier', { id: 'a', src: 'colours.safetensors', camera: '', loading: 'eager' })
      const height = () => element.getBoundingClientRect().height
      const heights = [height()]
      await told('a', 'load')
      heights.push(height())
      await element.classify(new ImageData(9, 9))
      return [...heights, height()]
    })
    assert.equal(new Set(heights).size, 1, heights.join())
    await context.close()
  })

test('it loads, classifies its picture and tells of both', async () => {
  const { page, context, assertQuiet } = await open()
  const { load, answer, progress } = await page.evaluate(async () => {
    add('convlet-classifier', { id: 'a', src: 'colours.safetensors', picture: 'red.png', 'top-k': '2' })
    return { load: await told('a', 'load'), answer: await told('a', 'classify'), progress: await told('a', 'progress') }
  })
  assert.deepEqual(load.labels, ['red', 'green', 'blue'])
  assert.equal(answer.predictions[0].label, 'red')
  assert.equal(progress.loaded, model.length)
  const { answer: words, bars } = await shown(page, 'a')
  assert.equal(words, 'red')
  assert.equal(bars.length, 2)
  // Other attributes, another answer.
  await page.locator('#a').evaluate((element) => {
    element.setAttribute('top-k', '3')
    element.setAttribute('picture', 'green.png')
  })
  await page.waitForFunction(() => events.a.at(-1).type === 'classify' && events.a.at(-1).detail.predictions[0].label === 'green')
  assert.equal((await shown(page, 'a')).bars.length, 3)
  assertQuiet()
  await context.close()
})

test('a file that is not the one named by its hash is refused, the right one is not', async () => {
  const { page, context } = await open()
  const outcome = await page.evaluate(async (integrity) => {
    add('convlet-classifier', { id: 'good', src: 'colours.safetensors', integrity, picture: 'red.png' })
    add('convlet-classifier', { id: 'bad', src: 'colours.safetensors', integrity: integrity.replace(/-..../, '-AAAA') })
    add('convlet-classifier', { id: 'odd', src: 'colours.safetensors', integrity: 'md5-AAAA' })
    return [(await told('good', 'classify')).predictions[0].label, await told('bad', 'error'), await told('odd', 'error')]
  }, integrity)
  assert.equal(outcome[0], 'red')
  assert.deepEqual([outcome[1].name, outcome[1].code], ['ConvletError', 'integrity'])
  assert.match(outcome[1].message, /colours.safetensors: expected sha256-AAAA\S+, got sha256-/)
  assert.equal(outcome[2].code, 'argument')
  assert.match((await shown(page, 'bad')).state, /expected sha256-AAAA/)
  await context.close()
})

test('what goes wrong is said, as an event and in words', async () => {
  const { page, context } = await open()
  const error = await page.evaluate(async () => {
    add('convlet-classifier', { id: 'a', src: 'nowhere.safetensors' })
    return told('a', 'error')
  })
  assert.equal(error.code, 'network')
  assert.equal((await shown(page, 'a')).state, error.message)
  // A better address mends it.
  const label = await page.evaluate(async () => {
    document.querySelector('#a').setAttribute('picture', 'red.png')
    document.querySelector('#a').setAttribute('src', 'colours.safetensors')
    return (await told('a', 'classify')).predictions[0].label
  })
  assert.equal(label, 'red')
  await context.close()
})

test('lazy by default: nothing is fetched until it is nearly in sight', async () => {
  const { page, context, requests } = await open()
  await page.evaluate(() => {
    document.querySelector('main').style.paddingTop = '5000px'
    add('convlet-classifier', { id: 'a', src: 'colours.safetensors', picture: 'red.png' })
  })
  await page.waitForTimeout(300)
  const fetched = () => requests.filter((url) => /wasm|safetensors/.test(url)).length
  assert.equal(fetched(), 0)
  await page.locator('#a').scrollIntoViewIfNeeded()
  await page.evaluate(() => told('a', 'classify'))
  assert.equal(fetched(), 2)
  await page.evaluate(async () => {
    scrollTo(0, 0)
    add('convlet-classifier', { id: 'b', src: 'colours.safetensors', picture: 'green.png', loading: 'eager' })
    await told('b', 'classify')
  })
  await context.close()
})

test('a picture comes by file, by drop and by paste', async () => {
  const { page, context } = await open()
  await page.evaluate(async () => {
    add('convlet-classifier', { id: 'a', src: 'colours.safetensors' })
    await told('a', 'load')
  })
  await page.locator('#a input[type=file]').setInputFiles({ name: 'red.png', mimeType: 'image/png', buffer: red })
  assert.equal((await page.evaluate(() => told('a', 'classify'))).predictions[0].label, 'red')
  const give = (way, body) =>
    page.evaluate(
      ([way, base64]) => {
        const transfer = new DataTransfer()
        const bytes = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0))
        transfer.items.add(new File([bytes], 'given.png', { type: 'image/png' }))
        const options = { bubbles: true, cancelable: true, composed: true }
        const target = document.querySelector('#a').shadowRoot.querySelector('.stage')
        target.dispatchEvent(
          way === 'paste'
            ? new ClipboardEvent('paste', { ...options, clipboardData: transfer })
            : new DragEvent('drop', { ...options, dataTransfer: transfer }),
        )
      },
      [way, body.toString('base64')],
    )
  await give('drop', green)
  assert.equal((await page.evaluate(() => told('a', 'classify', 2))).predictions[0].label, 'green')
  await give('paste', red)
  assert.equal((await page.evaluate(() => told('a', 'classify', 3))).predictions[0].label, 'red')
  await give('drop', Buffer.from('no picture'))
  const before = await shown(page, 'a')
  const { code, message } = await page.evaluate(() => told('a', 'error'))
  assert.equal(code, 'picture')
  assert.match(message, /^given.png: expected a picture/)
  // The picture before stays, and so does its answer.
  assert.equal(await page.locator('#a img').evaluate((img) => img.complete && img.naturalWidth > 0), true)
  assert.deepEqual(before.bars, (await shown(page, 'a')).bars)
  assert.match(before.bars[0], /red/)
  await context.close()
})

test('the camera is classified frame by frame, and let go when the element leaves', async () => {
  const { page, context } = await open()
  await page.evaluate(async () => {
    add('convlet-classifier', { id: 'none', src: 'colours.safetensors' })
    add('convlet-classifier', { id: 'a', src: 'colours.safetensors', camera: '' })
    await told('a', 'load')
  })
  assert.equal(await page.locator('#none button.camera').isVisible(), false)
  await page.locator('#a button.camera').click()
  await page.evaluate(() => told('a', 'classify', 3))
  const ended = await page.evaluate(async () => {
    const element = document.querySelector('#a')
    const [track] = element.shadowRoot.querySelector('video').srcObject.getTracks()
    element.remove()
    return track.readyState
  })
  assert.equal(ended, 'ended')
  await context.close()
})

test('after the camera, what is shown and what is answered belong together again', async () => {
  const { page, context } = await open()
  await page.evaluate(() => {
    add('convlet-classifier', { id: 'still', src: 'colours.safetensors', picture: 'red.png', camera: '', loading: 'eager' })
    add('convlet-classifier', { id: 'none', src: 'colours.safetensors', camera: '', loading: 'eager' })
  })
  for (const [id, answer] of [['still', 'red'], ['none', '']]) {
    await page.locator(`#${id} button.camera`).click()
    // The camera of the tests is green.
    await page.locator(`#${id} .answer`).getByText('green').waitFor()
    await page.locator(`#${id} button.camera`).click()
    await page.waitForFunction(([id, answer]) => document.querySelector(`#${id}`).shadowRoot.querySelector('.answer').textContent === answer, [id, answer])
  }
  await context.close()
})

test('a camera that is unplugged is said to be, and files go on', async () => {
  const { page, context } = await open()
  await page.evaluate(() => add('convlet-classifier', { id: 'a', src: 'colours.safetensors', camera: '', loading: 'eager' }))
  await page.locator('#a button.camera').click()
  await page.evaluate(() => told('a', 'classify'))
  const error = await page.evaluate(async () => {
    document.querySelector('#a').shadowRoot.querySelector('video').srcObject.getTracks()[0].dispatchEvent(new Event('ended'))
    return told('a', 'error')
  })
  assert.equal(error.code, 'camera-absent')
  await page.locator('#a').getByText(/camera went away/).waitFor()
  await page.locator('#a').getByRole('button', { name: 'Use the camera' }).waitFor()
  await page.locator('#a input[type=file]').setInputFiles({ name: 'red.png', mimeType: 'image/png', buffer: red })
  await page.locator('#a .answer').getByText('red').waitFor()
  await context.close()
})

test('none of these, where the model knows it', async () => {
  const { page, context } = await open()
  await page.evaluate(async () => {
    add('convlet-classifier', { id: 'known', src: 'wary.safetensors', picture: 'grey.png' })
    add('convlet-classifier', { id: 'strange', src: 'wary.safetensors', picture: 'red.png' })
    await Promise.all([told('known', 'classify'), told('strange', 'classify')])
  })
  assert.notEqual((await shown(page, 'known')).answer, 'None of these')
  assert.equal((await shown(page, 'strange')).answer, 'None of these')
  await context.close()
})

test('ten on a page share one worker, one wasm, one model; memory stays', async () => {
  const { page, context, requests } = await open()
  const [one, ten, workers] = await page.evaluate(async () => {
    add('convlet-classifier', { id: 'c0', src: 'colours.safetensors', picture: 'red.png', loading: 'eager' })
    await told('c0', 'classify')
    const one = wasmMemory
    for (let i = 1; i < 10; i++)
      add('convlet-classifier', { id: `c${i}`, src: 'colours.safetensors', picture: 'green.png', loading: 'eager' })
    for (let i = 1; i < 10; i++) await told(`c${i}`, 'classify')
    return [one, wasmMemory, workers]
  })
  assert.equal(workers, 1)
  assert.equal(requests.filter((url) => url.endsWith('.wasm')).length, 1)
  assert.equal(requests.filter((url) => url.endsWith('.safetensors')).length, 1)
  assert.ok(one > 0 && ten <= one * 1.5, `${one}, ${ten}`)
  await context.close()
})

test('attached and removed 200 times: nothing grows', async () => {
  const { page, context } = await open()
  const cycle = (times) =>
    page.evaluate(async (times) => {
      for (let i = 0; i < times; i++) {
        const element = add('convlet-classifier', { id: 'a', src: 'colours.safetensors', picture: 'red.png', loading: 'eager' })
        // Every tenth lives until it has answered; the others leave in the middle of something.
        if (i % 10 === 0) await told('a', 'classify')
        else await new Promise((resolve) => setTimeout(resolve, i % 3))
        element.remove()
        // And comes back once.
        document.body.append(element)
        element.remove()
      }
    }, times)
  await assertNothingGrows(page, cycle, { first: 20, heap: 200_000 })
  assert.equal(await page.evaluate(() => workers), 1)
  await context.close()
})
