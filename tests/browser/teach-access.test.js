/** The studio for everyone: axe-core finds nothing in any of its states, the keyboard is enough, and nothing overflows. */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { axeFindings } from './support/axe.js'
import { launch } from './support/browser.js'
import { servePage } from './support/convlet-page.js'
import { png } from './support/pictures.js'
import { StudioPage } from './support/studio-page.js'

let browser, server, studio

before(async () => {
  browser = await launch()
  server = await servePage()
  studio = await StudioPage.open(browser, server.url)
})

after(async () => {
  await browser?.close()
  await server?.close()
})

/** What axe-core has to say, in light and in dark. */
async function violations() {
  const found = []
  for (const colorScheme of /** @type {const} */ (['light', 'dark'])) {
    await studio.page.emulateMedia({ colorScheme, reducedMotion: 'reduce' })
    found.push(...(await axeFindings(studio.page)).map((finding) => `${colorScheme} ${finding}`))
  }
  return found
}

async function overflows() {
  const found = []
  for (const width of [320, 360, 768, 1280, 3840]) {
    await studio.page.setViewportSize({ width, height: 800 })
    const wide = await studio.page.evaluate(() => document.documentElement.scrollWidth)
    if (wide === width) continue
    const beyond = (/** @type {number} */ width) =>
      [...document.querySelectorAll('body *')].filter((element) => element.getBoundingClientRect().right > width).map(({ id }) => id)
    found.push(`${wide} at ${width}: ${await studio.page.evaluate(beyond, width)}`)
  }
  await studio.page.setViewportSize({ width: 1280, height: 900 })
  return found
}

/** @param {string} state @param {() => Promise<unknown>} reach */
const state = (state, reach) =>
  test(state, async () => {
    await reach()
    assert.deepEqual(await violations(), [])
    assert.deepEqual(await overflows(), [])
  })

const files = (count, colour) =>
  Array.from({ length: count }, (_, index) => ({
    name: `${index}.png`,
    mimeType: 'image/png',
    buffer: png(32, 32, (x, y) => colour.map((value) => (value + index * 4 + x + y) % 256)),
  }))

describe('nothing to complain about', () => {
  state('when it is empty', async () => {})

  state('with pictures, some selected', async () => {
    await studio.rename('Class 1', 'a class with quite a long name that goes on')
    await studio.add('a class with quite a long name that goes on', files(20, [200, 30, 30]))
    await studio.add('Class 2', files(20, [30, 60, 200]))
    await studio.card('Class 2').locator('.gallery-list').focus()
    await studio.page.keyboard.press('Space')
    await studio.page.keyboard.press('Delete')
    await studio.page.locator('#undo').waitFor()
  })

  state('with every fold open', async () => {
    await studio.unfold('how')
    await studio.page.locator('input[name=depth][value=scratch]').check()
    await studio.unfold('augment-fold')
    await studio.page.locator('#delete-all').click()
  })

  state('trained, with a cell open', async () => {
    await studio.page.locator('input[name=depth][value=head]').check()
    await studio.train()
    await studio.page.locator('#confusion button').first().click()
  })

  state('in trouble', async () => {
    await studio.page.locator('#project-file').setInputFiles({ name: 'p.zip', mimeType: 'application/zip', buffer: Buffer.from('no') })
    await studio.trouble()
  })
})

test('an architecture is put together by the keyboard, and the summary follows', async () => {
  const { page } = studio
  await page.locator('input[name=depth][value=scratch]').check()
  const total = page.locator('#layers-total')
  // 896 + 9,248 + (14 x 14 x 32 + 1) x 128 + (128 + 1) x 2
  await page.waitForFunction(() => document.querySelector('#layers-total').textContent === '813,346 parameters')
  await page.getByRole('button', { name: '+ Max pooling' }).press('Enter')
  // 7 x 7 x 32 values are left for the dense layer.
  await page.waitForFunction(() => document.querySelector('#layers-total').textContent === '211,234 parameters')
  await page.getByLabel('Convolution 1, kernel side').fill('11')
  await page.getByLabel('Max pooling 2, side').fill('8')
  await page.getByLabel('Max pooling 4, side').fill('8')
  await total.and(page.locator('.wrong')).waitFor()
  await page.getByRole('button', { name: 'The article’s network again' }).press('Enter')
  await page.waitForFunction(() => document.querySelector('#layers-total').textContent === '813,346 parameters')
})
