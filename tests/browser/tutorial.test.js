/** The tutorial as its reader meets it: quiet, private, still, at home at every size, and right in its numbers. */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { axeFindings } from './support/axe.js'
import { launch, newPage } from './support/browser.js'
import { serve, WWW } from './support/server.js'


let browser, server
/** The tutorial, read once for all tests that only look. @type {Awaited<ReturnType<typeof read>>} */
let once

before(async () => {
  browser = await launch()
  server = await serve(join(WWW, 'dist'))
  once = await read()
})

after(async () => {
  await browser?.close()
  await server?.close()
})

/** The tutorial, read from top to bottom. */
async function read(options) {
  const opened = await newPage(browser, options)
  const { page } = opened
  await page.addInitScript(() => {
    globalThis.shift = 0
    new PerformanceObserver((list) => {
      for (const entry of list.getEntries()) globalThis.shift += entry.value
    }).observe({ type: 'layout-shift', buffered: true })
  })
  await page.goto(`${server.url}tutorial.html`)
  await page.locator('#first').getByText('97.1%', { exact: true }).waitFor()
  for (const figure of await page.locator('figure').all()) {
    await figure.scrollIntoViewIfNeeded()
    await page.waitForTimeout(60)
  }
  await page.locator('convlet-summary').getByText('counts 813,217 as well').waitFor()
  await page.locator('convlet-history').getByText('Epoch 25').waitFor()
  await page.locator('#models').getByText('83.7%').waitFor()
  return opened
}

for (const [width, colorScheme] of [[1280, 'light'], [360, 'dark']])
  test(`${width} pixels wide, ${colorScheme}: nothing fails, leaves, moves or shuts anyone out`, async () => {
    const { page, context, requests, assertQuiet } = await read({ viewport: { width, height: 900 }, colorScheme })
    assert.ok(requests.every((url) => url.startsWith(server.url)), requests.join(' '))
    assert.ok((await page.evaluate(() => globalThis.shift)) < 0.001)
    const before = requests.length
    await page.locator('convlet-convolution button.step').click()
    await page.locator('convlet-descent button.step').click()
    await page.locator('convlet-history').first().getByRole('slider', { name: 'Epoch' }).fill('20')
    await page.locator('convlet-history').getByText('validation accuracy 0.8372').waitFor()
    assert.deepEqual(requests.slice(before), [])
    assert.deepEqual(await axeFindings(page), [])
    assertQuiet()
    await context.close()
  })

test('its words agree with the shipped model', async () => {
  const { page } = once
  const { layers, history } = await page.evaluate(() => {
    const rows = [...document.querySelector('convlet-summary').shadowRoot.querySelectorAll('tbody tr')]
    return {
      layers: rows.map((row) => Number(row.lastElementChild.textContent.replaceAll(',', ''))),
      history: document.querySelector('convlet-history').history,
    }
  })
  assert.deepEqual(layers, [896, 0, 9248, 0, 0, 802_944, 129, 813_217])
  const text = (await page.locator('#network').innerText()).replace(/\s+/g, ' ')
  assert.match(text, /813,217, and nearly all of them, 98\.7 %/)
  assert.equal(((100 * layers[5]) / layers[7]).toFixed(1), '98.7')
  assert.match(text, new RegExp(`have ${(layers[0] + layers[2]).toLocaleString('en')}\\.`))
  // The matrix is that of the epoch kept: the best on validation, after which the line turns.
  const best = Math.max(...history.val_accuracy)
  assert.equal(((999 + 1094) / 2500).toFixed(4), best.toFixed(4))
  assert.equal(history.val_accuracy.length, 25)
  assert.ok(history.val_accuracy.indexOf(best) < 24 && history.val_accuracy[0] > history.accuracy[0])
})

test('every entry of the contents leads somewhere, and every figure is reached by the keyboard', async () => {
  const { page } = once
  const dead = await page.evaluate(() =>
    [...document.querySelectorAll('a[href^="#"]')].filter((link) => !document.querySelector(link.hash)).map(({ hash }) => hash),
  )
  assert.deepEqual(dead, [])
  for (const figure of await page.locator('figure').all()) {
    // As from the text before it.
    await figure.evaluate((figure) => {
      figure.tabIndex = -1
      figure.focus()
    })
    await page.keyboard.press('Tab')
    const inside = await figure.evaluate((figure) => figure.firstElementChild === document.activeElement)
    assert.ok(inside, await figure.innerHTML())
  }
})

test('nothing overflows from 320 pixels to 4K', async () => {
  const { page } = once
  for (const width of [320, 360, 768, 1280, 3840]) {
    await page.setViewportSize({ width, height: 800 })
    assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), width)
  }
})
