/** `<convlet-trainer>`, as a writer puts it into a page and a visitor teaches it. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { axeFindings } from './support/axe.js'
import { launch } from './support/browser.js'
import { openElements, serveElements } from './support/elements-page.js'
import { assertNothingGrows } from './support/holdings.js'
import { colourModel } from './support/models.js'
import { png } from './support/pictures.js'
import { showScene, useScenes } from './support/scenes.js'

let browser, server

before(async () => {
  browser = await launch()
  server = await serveElements({ '/colours.safetensors': colourModel(), '/broken.safetensors': Buffer.from('no model') })
})

after(async () => {
  await browser?.close()
  await server?.close()
})

const ATTRIBUTES = { id: 'a', base: 'models/pets.safetensors', labels: 'warm, cold', epochs: '30' }

async function open(attributes = ATTRIBUTES, options = {}) {
  const opened = await openElements(browser, server, ['convlet-trainer'], options)
  await opened.page.evaluate((attributes) => void add('convlet-trainer', attributes), attributes)
  return opened
}

/** Stripes in many shades, as files. */
const shades = (colour, across, count = 8) =>
  Array.from({ length: count }, (_, shade) => ({
    name: `${shade}.png`,
    mimeType: 'image/png',
    buffer: png(48, 36, (x, y) => ((across ? y : x) + shade) % 12 < 6 ? colour.map((channel) => Math.abs(channel - shade * 6)) : [230, 225, 220]),
  }))
const WARM = shades([250, 60, 50], false)
const COLD = shades([50, 80, 250], true)

async function fill(page, id = 'a') {
  await page.locator(`#${id}`).getByLabel('Pictures of warm', { exact: true }).setInputFiles(WARM)
  await page.locator(`#${id}`).getByLabel('Pictures of cold', { exact: true }).setInputFiles(COLD)
  await page.waitForFunction((id) => Object.values(document.querySelector(`#${id}`).counts).join() === '8,8', id)
}

/** Offers a file to an element, by drop or paste onto the part that `selector` finds. */
const give = (page, selector, way, { name, buffer }) =>
  page.locator(selector).evaluate(
    (target, [way, name, base64]) => {
      const transfer = new DataTransfer()
      transfer.items.add(new File([Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0))], name, { type: 'image/png' }))
      const options = { bubbles: true, cancelable: true, composed: true }
      target.dispatchEvent(
        way === 'paste'
          ? new ClipboardEvent('paste', { ...options, clipboardData: transfer })
          : new DragEvent('drop', { ...options, dataTransfer: transfer }),
      )
    },
    [way, name, buffer.toString('base64')],
  )

const state = (page, id = 'a') => page.locator(`#${id} .state`).textContent()

test('pictures are collected, learned and told apart; the model is a file', async () => {
  const { page, context, assertQuiet } = await open()
  const loaded = await page.evaluate(() => told('a', 'load'))
  assert.deepEqual(loaded.labels, ['warm', 'cold'])
  const element = page.locator('#a')
  const train = element.getByRole('button', { name: 'Train', exact: true })
  assert.ok(await train.isDisabled())
  // What is tried before anything is learned is answered by what to do.
  await element.getByLabel('Picture to try').setInputFiles(WARM[0])
  await element.getByText('Nothing is learned yet').waitFor()
  await fill(page)
  await give(page, '#a .class:nth-child(2) .thumbs', 'drop', COLD[0])
  await give(page, '#a .class:nth-child(2) .add', 'paste', COLD[1])
  assert.equal((await page.evaluate(() => told('a', 'picture', 18))).count, 10)
  await train.click()
  const { accuracy, split } = await page.evaluate(() => told('a', 'train'))
  assert.deepEqual([accuracy, split], [1, 'validation'])
  assert.match(await state(page), /^Trained: 2 of 2 pictures that it had not seen before/)
  const epochs = await page.evaluate(() => events.a.filter(({ type }) => type === 'epoch').map(({ detail }) => detail))
  assert.deepEqual(epochs.map(({ epoch }) => epoch), [...Array(30).keys()])
  assert.ok(epochs[29].logs.loss < epochs[0].logs.loss)
  // The picture tried before has its answer by now; another gets one.
  await page.waitForFunction(() => document.querySelector('#a').shadowRoot.querySelector('.answer').textContent === 'warm')
  await give(page, '#a .stage', 'drop', { ...COLD[3], name: 'blue.png' })
  await page.waitForFunction(() => document.querySelector('#a').shadowRoot.querySelector('.answer').textContent === 'cold')
  const [download] = await Promise.all([page.waitForEvent('download'), element.getByRole('button', { name: 'Download the model' }).click()])
  assert.equal(download.suggestedFilename(), 'model.safetensors')
  const labels = await page.evaluate(async () => {
    const { Classifier } = await import('./client/classifier.js')
    return (await Classifier.load(document.querySelector('#a').model)).labels
  })
  assert.deepEqual(labels, ['warm', 'cold'])
  assertQuiet()
  await context.close()
})

test('held by mouse or key, a button records the camera, whose frames are then named', async () => {
  const { page, context, assertQuiet } = await openElements(browser, server, ['convlet-trainer'])
  await useScenes(context)
  await page.reload()
  await page.evaluate(() => import('./elements/convlet-trainer.js'))
  await page.evaluate(() => {
    const element = document.createElement('convlet-trainer')
    for (const [name, value] of [['base', 'models/pets.safetensors'], ['labels', 'ball,box'], ['camera', '']]) element.setAttribute(name, value)
    element.id = 'a'
    document.querySelector('main').append(element)
  })
  const hold = (label) => page.locator('#a').getByRole('button', { name: `Hold to record ${label}` })
  const count = (label, least) => page.waitForFunction(([label, least]) => document.querySelector('#a').counts[label] >= least, [label, least])
  // The first press opens the camera, and records nothing.
  await hold('ball').click()
  await page.locator('#a').getByRole('button', { name: 'Stop the camera' }).waitFor()
  await showScene(page, 'ball')
  await hold('ball').hover()
  await page.mouse.down()
  await count('ball', 8)
  await page.mouse.up()
  await showScene(page, 'box')
  await hold('box').focus()
  await page.keyboard.down('Space')
  await count('box', 8)
  await page.keyboard.up('Space')
  await page.locator('#a').getByRole('button', { name: 'Train', exact: true }).focus()
  await page.keyboard.press('Enter')
  // Who trained by keyboard stays where the next thing is.
  assert.equal(await page.evaluate(() => document.querySelector('#a').shadowRoot.activeElement.textContent), 'Stop here')
  await page.locator('#a').getByText(/^Trained:/).waitFor()
  const answers = (label) => page.waitForFunction((label) => document.querySelector('#a').shadowRoot.querySelector('.answer').textContent === label, label)
  await answers('box')
  await showScene(page, 'ball')
  await answers('ball')
  const ended = await page.locator('#a').evaluate((element) => {
    const [track] = element.shadowRoot.querySelector('video').srcObject.getTracks()
    element.remove()
    return track.readyState
  })
  assert.equal(ended, 'ended')
  assertQuiet()
  await context.close()
})

test('pictures are removed one by one, or all of a class; the focus stays near', async () => {
  const { page, context } = await open()
  await fill(page)
  const element = page.locator('#a')
  assert.equal(await element.locator('.class').first().locator('.thumb').count(), 5)
  await element.getByRole('button', { name: 'Remove picture 8 of warm' }).click()
  assert.equal(await element.getByText('7 pictures').count(), 1)
  assert.equal(await element.locator('.class').first().locator('.thumb').count(), 5)
  assert.ok(await page.evaluate(() => document.querySelector('#a').shadowRoot.activeElement?.closest('.class')))
  await element.getByRole('button', { name: 'Clear cold' }).click()
  assert.deepEqual(await element.evaluate(({ counts }) => counts), { warm: 7, cold: 0 })
  assert.ok(await element.getByRole('button', { name: 'Train', exact: true }).isDisabled())
  await context.close()
})

test('stopped early, it is trained as far as it came', async () => {
  const { page, context } = await open({ ...ATTRIBUTES, epochs: '1000' })
  await fill(page)
  await page.locator('#a').getByRole('button', { name: 'Train', exact: true }).click()
  await page.evaluate(() => told('a', 'epoch'))
  await page.locator('#a').getByRole('button', { name: 'Stop here' }).click()
  await page.evaluate(() => told('a', 'train'))
  const epochs = await page.evaluate(() => events.a.filter(({ type }) => type === 'epoch').length)
  assert.ok(epochs < 1000)
  await context.close()
})

test('moved, it keeps its pictures and what it learned; removed while training, it stops', async () => {
  const { page, context, assertQuiet } = await open()
  await fill(page)
  await page.locator('#a').getByRole('button', { name: 'Train', exact: true }).click()
  await page.evaluate(() => told('a', 'train'))
  const moved = await page.evaluate(async (warm) => {
    const element = document.querySelector('#a')
    const loads = events.a.filter(({ type }) => type === 'load').length
    const place = document.querySelector('main').appendChild(document.createElement('section'))
    place.append(element)
    await told('a', 'load', loads + 1)
    const picture = await (await fetch(warm)).blob()
    return { counts: element.counts, best: (await element.classify(picture)).predictions[0].label }
  }, `data:image/png;base64,${WARM[2].buffer.toString('base64')}`)
  assert.deepEqual(moved, { counts: { warm: 8, cold: 8 }, best: 'warm' })
  const after = await page.evaluate(async () => {
    const element = document.querySelector('#a')
    element.setAttribute('epochs', '1000')
    await told('a', 'load', 3)
    const training = element.train()
    await told('a', 'epoch', 32)
    element.remove()
    await training
    const before = events.a.length
    await new Promise((resolve) => setTimeout(resolve, 300))
    return events.a.slice(before).concat(events.a.filter(({ type }) => type === 'error'))
  })
  assert.deepEqual(after, [])
  assertQuiet()
  await context.close()
})

test('what goes wrong is said, as an event and in words', async () => {
  for (const [attributes, code, words] of [
    [{ ...ATTRIBUTES, base: 'broken.safetensors' }, 'file', /broken\.safetensors/],
    [{ ...ATTRIBUTES, base: 'nowhere.safetensors' }, 'network', /nowhere\.safetensors/],
    [{ ...ATTRIBUTES, labels: 'lonely' }, 'argument', /expected two or more.*lonely/],
  ]) {
    const { page, context } = await open(attributes)
    const error = await page.evaluate(() => told('a', 'error'))
    assert.equal(error.code, code)
    assert.match(await state(page), words)
    await context.close()
  }
  const { page, context } = await open()
  await page.locator('#a').getByLabel('Pictures of warm', { exact: true }).setInputFiles({ name: 'no.png', mimeType: 'image/png', buffer: Buffer.from('no') })
  assert.equal((await page.evaluate(() => told('a', 'error'))).code, 'picture')
  const refused = await page.evaluate(() => document.querySelector('#a').add(new Blob(), 'hot').catch(({ code }) => code))
  assert.equal(refused, 'argument')
  await context.close()
})

test('lazy: nothing is fetched before it is nearly in sight; several share one worker', async () => {
  const { page, context, requests } = await openElements(browser, server, ['convlet-trainer'])
  await page.evaluate((attributes) => {
    document.querySelector('main').style.paddingTop = '5000px'
    for (const id of ['a', 'b']) add('convlet-trainer', { ...attributes, id })
  }, ATTRIBUTES)
  await page.waitForTimeout(300)
  const fetched = () => requests.filter((url) => /\.wasm|safetensors/.test(url)).length
  assert.equal(fetched(), 0)
  await page.locator('#b').scrollIntoViewIfNeeded()
  await page.evaluate(() => Promise.all([told('a', 'load'), told('b', 'load')]))
  await fill(page, 'a')
  await fill(page, 'b')
  await page.evaluate(async () => {
    for (const id of ['a', 'b']) document.querySelector(`#${id}`).train()
    await Promise.all([told('a', 'train'), told('b', 'train')])
  })
  assert.equal(await page.evaluate(() => workers), 1)
  assert.equal(requests.filter((url) => url.endsWith('.wasm')).length, 1)
  await context.close()
})

for (const [width, colorScheme] of [[1280, 'light'], [320, 'dark']])
  test(`${width} pixels wide, ${colorScheme}: nothing overflows, and axe finds nothing`, async () => {
    const { page, context } = await open({ ...ATTRIBUTES, camera: '' }, { viewport: { width, height: 900 }, colorScheme })
    const look = async () => {
      assert.deepEqual(await axeFindings(page), [])
      assert.ok((await page.evaluate(() => document.documentElement.scrollWidth)) <= width)
    }
    await page.evaluate(() => told('a', 'load'))
    await look()
    await fill(page)
    await page.locator('#a').getByRole('button', { name: 'Train', exact: true }).click()
    await page.evaluate(() => told('a', 'epoch'))
    await look()
    await page.evaluate(() => told('a', 'train'))
    await page.locator('#a').getByLabel('Picture to try').setInputFiles(WARM[0])
    await page.evaluate(() => told('a', 'classify'))
    await look()
    if (process.env.SHOTS) await page.locator('#a').screenshot({ path: `${process.env.SHOTS}-${width}.png` })
    await context.close()
  })

test('attached and removed 200 times: nothing grows', async () => {
  const { page, context } = await openElements(browser, server, ['convlet-trainer'])
  const cycle = (times) =>
    page.evaluate(
      async ([attributes, times]) => {
        for (let i = 0; i < times; i++) {
          const element = add('convlet-trainer', { ...attributes, loading: 'eager' })
          // Every tenth lives until it is ready; the others leave in the middle of something.
          if (i % 10 === 0) await told('a', 'load')
          else await new Promise((resolve) => setTimeout(resolve, i % 3))
          element.remove()
          // And comes back once.
          document.body.append(element)
          element.remove()
        }
      },
      [{ ...ATTRIBUTES, base: 'colours.safetensors' }, times],
    )
  await assertNothingGrows(page, cycle, { first: 40, heap: 300_000 })
  assert.equal(await page.evaluate(() => workers), 1)
  await context.close()
})
