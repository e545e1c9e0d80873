/** `<convlet-training>`: a network that is trained in the reader's tab, and seen from within as it learns. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { axeFindings } from './support/axe.js'
import { launch } from './support/browser.js'
import { openElements, serveElements } from './support/elements-page.js'
import { png } from './support/pictures.js'

let browser, server

before(async () => {
  browser = await launch()
  server = await serveElements({})
})

after(async () => {
  await browser?.close()
  await server?.close()
})

async function open(attributes = {}, options = {}) {
  const opened = await openElements(browser, server, ['convlet-training'], options)
  const all = { id: 'a', src: 'models/article.safetensors', ...attributes }
  await opened.page.evaluate((all) => void add('convlet-training', all), all)
  return opened
}

const train = (page) => page.locator('#a').getByRole('button', { name: 'Train it here' }).click()

test('it learns to tell its drawings apart, shows how that went and what it still mistakes', async () => {
  const { page, context, assertQuiet } = await open()
  await page.locator('#a').getByText('48 × cat and 48 × dog. They were drawn a moment ago').waitFor()
  await train(page)
  const { accuracy } = await page.evaluate(() => told('a', 'train'))
  assert.ok(accuracy >= 0.8, `${accuracy}`)
  const epochs = await page.evaluate(() => events.a.filter(({ type }) => type === 'epoch').map(({ detail }) => detail))
  assert.equal(epochs.length, 12)
  assert.ok(epochs[11].logs.val_loss < 0.6 && epochs[11].logs.loss < epochs[0].logs.loss)
  const shown = await page.locator('#a').evaluate(({ shadowRoot }) => ({
    history: shadowRoot.querySelector('convlet-history').history,
    matrix: shadowRoot.querySelector('convlet-confusion').matrix,
    mistakes: shadowRoot.querySelectorAll('.mistake').length,
  }))
  assert.deepEqual(shown.history.val_loss, epochs.map(({ logs }) => logs.val_loss))
  const [[cats, cat], [dog, dogs]] = shown.matrix
  assert.deepEqual([cats + cat, dog + dogs], [12, 12])
  assert.equal(shown.mistakes, cat + dog)
  assert.equal((cats + dogs) / 24, accuracy)
  assertQuiet()
  await context.close()
})

test('the same seed draws the same pictures and gives the same curve; another does not', async () => {
  const { page, context } = await open({ pictures: '8', epochs: '2' })
  const losses = async (count) => {
    await train(page)
    await page.evaluate((count) => told('a', 'train', count), count)
    return page.evaluate(() => events.a.filter(({ type }) => type === 'epoch').slice(-2).map(({ detail }) => detail.logs.loss))
  }
  const first = await losses(1)
  assert.deepEqual(await losses(2), first)
  await page.locator('#a').getByRole('button', { name: 'Draw others' }).click()
  assert.notDeepEqual(await losses(3), first)
  await context.close()
})

test('opened, it shows every layer’s gradients and how far its kernels have come', async () => {
  const { page, context, assertQuiet } = await open({ pictures: '8', epochs: '1000' })
  await page.locator('#a summary').click()
  await train(page)
  await page.locator('#a convlet-inspector .layer').first().waitFor()
  const look = () =>
    page.locator('#a convlet-inspector').evaluate(async ({ inspection }) => {
      const learning = await inspection.learning()
      const of = async (of) => (await inspection.weights(0, { of })).kernel
      const [now, gradients, beginning] = [await of('now'), await of('gradients'), await of('beginning')]
      const size = (numbers) => Math.sqrt(numbers.reduce((sum, number) => sum + number * number, 0) / numbers.length)
      return { learning, gradient: size(gradients), moved: size(now.map((weight, place) => weight - beginning[place])) }
    })
  const first = await look()
  // Two convolutions and two dense layers learn; poolings have nothing to.
  assert.deepEqual(first.learning.map(({ gradients }) => gradients > 0), [true, false, true, false, false, true, true])
  assert.ok(first.gradient > 0 && first.moved > 0)
  await page.waitForFunction(
    (moved) => document.querySelector('#a').shadowRoot.querySelector('convlet-inspector').inspection.learning().then((now) => now[0].moved > moved),
    first.learning[0].moved * 1.5,
  )
  const text = await page.locator('#a convlet-inspector .layer').first().textContent()
  assert.match(text, /gradient \d+(\.\d+)?, moved \d+\.\d%/)
  assert.equal(await page.locator('#a convlet-inspector .kernel:visible').count(), 3)
  // Paused, it is judged and stays as it is; it goes on, and stops.
  await page.locator('#a').getByRole('button', { name: 'Pause', exact: true }).first().click()
  await page.locator('#a').getByText(/^Paused: \d+\.\d% of the 4 pictures held back are named rightly\.$/).waitFor()
  await page.locator('#a').getByText(/^\d of 4 right: /).waitFor()
  await page.locator('#a').getByRole('button', { name: 'Go on' }).click()
  await page.locator('#a').getByRole('button', { name: 'Stop here' }).click()
  await page.evaluate(() => told('a', 'train'))
  // Other pictures, and what was learned is gone from view.
  await page.locator('#a').getByRole('button', { name: 'Draw others' }).click()
  await page.locator('#a').getByText('Nothing to look into yet').waitFor()
  assert.equal(await page.locator('#a convlet-inspector').count(), 0)
  assertQuiet()
  await context.close()
})

test('the reader’s own pictures take the place of the drawn ones', async () => {
  const { page, context } = await open({ epochs: '1' })
  const stripes = (across) =>
    Array.from({ length: 6 }, (_, shift) => ({
      name: `${shift}.png`,
      mimeType: 'image/png',
      buffer: png(48, 36, (x, y) => (((across ? y : x) + shift) % 12 < 6 ? [200, 60, 50] : [230, 225, 220])),
    }))
  await page.locator('#a').getByLabel('Your own pictures: cat', { exact: true }).and(page.locator('input')).setInputFiles(stripes(true))
  await page.locator('#a').getByText('6 × cat and 48 × dog. Each dog was drawn').waitFor()
  // So few that none may be held back are refused; those before stay.
  await page.locator('#a').getByLabel('Your own pictures: cat', { exact: true }).and(page.locator('input')).setInputFiles(stripes(true).slice(3))
  assert.match((await page.evaluate(() => told('a', 'error'))).message, /^cat: expected 4 pictures or more.*, got 3$/)
  await page.locator('#a').getByText('6 × cat and 48 × dog').waitFor()
  await page.locator('#a').getByLabel('Your own pictures: dog', { exact: true }).and(page.locator('input')).setInputFiles(stripes(false))
  await page.locator('#a').getByText('6 × cat and 6 × dog. They are yours').waitFor()
  await train(page)
  await page.evaluate(() => told('a', 'train'))
  await context.close()
})

test('a network that cannot be had is said, and can be mended', async () => {
  const { page, context } = await open({ src: 'nowhere.safetensors', pictures: '4', epochs: '1' })
  await train(page)
  assert.equal((await page.evaluate(() => told('a', 'error'))).code, 'network')
  await page.evaluate(() => document.querySelector('#a').setAttribute('src', 'models/article.safetensors'))
  await train(page)
  await page.evaluate(() => told('a', 'train'))
  // Removed while it trains, it ends without a word.
  const errors = await page.evaluate(async () => {
    const element = document.querySelector('#a')
    element.setAttribute('epochs', '1000')
    const training = element.train()
    await told('a', 'epoch', 3)
    element.remove()
    await training
    return events.a.filter(({ type }) => type === 'error').length
  })
  assert.equal(errors, 1)
  await context.close()
})

for (const [width, colorScheme] of [[1280, 'light'], [320, 'dark']])
  test(`${width} pixels wide, ${colorScheme}: nothing overflows, and axe finds nothing`, async () => {
    const { page, context } = await open({ pictures: '20', epochs: '3' }, { viewport: { width, height: 900 }, colorScheme })
    await page.locator('#a summary').click()
    await train(page)
    await page.evaluate(() => told('a', 'train'))
    await page.locator('#a convlet-inspector .layer').first().waitFor()
    assert.deepEqual(await axeFindings(page), [])
    assert.ok((await page.evaluate(() => document.documentElement.scrollWidth)) <= width)
    if (process.env.SHOTS) await page.locator('#a').screenshot({ path: `${process.env.SHOTS}-${width}.png` })
    await context.close()
  })
