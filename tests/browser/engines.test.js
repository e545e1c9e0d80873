/** The pages in the browsers beside Chromium: each answers, teaches and explains there as well. */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { By, until } from 'selenium-webdriver'
import { plainPng } from './support/pictures.js'
import { serve, WWW } from './support/server.js'
import { drive, ENGINES } from './support/webdriver.js'

const SECONDS = 1000

for (const [name, engine] of Object.entries(ENGINES))
  describe(name, { skip: engine.isThere ? false : 'its driver is not named in the environment' }, () => {
    let server, browser

    before(async () => {
      server = await serve(join(WWW, 'dist'))
      browser = await drive(engine)
    })

    after(async () => {
      await browser?.close()
      await server?.close()
    })

    const find = (css) => browser.driver.wait(until.elementLocated(By.css(css)), 30 * SECONDS)
    /** Waits until the element's text matches. */
    const says = async (css, text, patience = 30 * SECONDS) =>
      browser.driver.wait(until.elementTextMatches(await find(css), text), patience)
    const noTrouble = async () => assert.equal(await (await find('#notice')).getText(), '')

    /** Chooses pictures of one colour. The drivers differ in what they do to a hidden input: a script fills it. */
    const choose = async (css, count, [red, green, blue]) => {
      const pictures = Array.from({ length: count }, (_, index) => plainPng(40, 40, [red + 4 * index, green + 4 * index, blue + 4 * index]).toString('base64'))
      const fill = (input, pictures) => {
        const transfer = new DataTransfer()
        for (const [index, base64] of pictures.entries())
          transfer.items.add(new File([Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0))], `${index}.png`, { type: 'image/png' }))
        input.files = transfer.files
        input.dispatchEvent(new Event('change', { bubbles: true }))
      }
      await browser.driver.executeScript(`(${fill})(...arguments)`, await find(css), pictures)
    }

    test('the front page classifies its drawing and a file', async () => {
      await browser.driver.get(server.url)
      await says('#answer', /^cat$/i)
      await choose('#file', 1, [180, 20, 30])
      await says('#answer', /^none of these$/i)
      await noTrouble()
    })

    test('the studio learns two colours and names them', async () => {
      await browser.driver.get(`${server.url}teach.html`)
      await find('.class-card:nth-child(2)')
      await choose('.class-card:nth-child(1) input[type=file]', 6, [180, 20, 30])
      await choose('.class-card:nth-child(2) input[type=file]', 6, [20, 30, 180])
      const train = await find('#train')
      await browser.driver.wait(until.elementIsEnabled(train), 30 * SECONDS)
      await train.click()
      await browser.driver.wait(until.elementIsVisible(await find('#judge-body')), 100 * SECONDS)
      await says('#judge-headline', /\d/)
      await noTrouble()
      // And keeps it all.
      await browser.driver.navigate().refresh()
      await says('.class-card:nth-child(2) .class-count', /^6 /)
      await browser.driver.wait(until.elementIsVisible(await find('#judge-body')), 30 * SECONDS)
      await noTrouble()
    })

    test('the tutorial counts, steps and classifies', async () => {
      await browser.driver.get(`${server.url}tutorial.html`)
      const shadowText = (css) => browser.driver.executeScript('return document.querySelector(arguments[0])?.shadowRoot?.textContent ?? ""', css)
      const shows = (css, text) => browser.driver.wait(async () => text.test(await shadowText(css)), 30 * SECONDS, `${css}: ${text}`)
      await shows('#first', /9\d\.\d%/)
      for (const figure of await browser.driver.findElements(By.css('figure')))
        await browser.driver.executeScript('arguments[0].scrollIntoView()', figure)
      await shows('convlet-summary', /counts 813,217 as well/)
      await shows('convlet-history', /Epoch 25/)
    })
  })
