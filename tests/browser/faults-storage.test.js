/** A browser that keeps nothing, or not what it should: said, with the last good state and a way on. */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { launch, newPage } from './support/browser.js'
import { servePage } from './support/convlet-page.js'
import { files, fill, openStudio } from './support/faulty-studio.js'
import { StudioPage } from './support/studio-page.js'

let browser, server

before(async () => {
  browser = await launch()
  server = await servePage()
})

after(async () => {
  await browser?.close()
  await server?.close()
})

describe('storage', () => {
  test('refused: said, and the studio teaches all the same, in this tab', async () => {
    const studio = await openStudio(browser, server, () => {
      IDBFactory.prototype.open = () => {
        throw new DOMException('access is denied', 'SecurityError')
      }
    })
    assert.match(await studio.trouble(), /access is denied.*lasts until this tab is closed: save the project/)
    await studio.page.locator('#notice-close').click()
    await fill(studio)
    await studio.train()
    assert.match(await studio.page.locator('#judge-headline').textContent(), /^Right on/)
    await studio.close()
  })

  test('wedged: said after a while, and the studio teaches all the same', async () => {
    const { page, context } = await newPage(browser)
    const studio = new StudioPage({ page, context })
    // Another page has a database open and does not let go of it: a deletion waits for that, and all else for the deletion.
    const other = await context.newPage()
    await other.goto(`${server.url}models/article.safetensors`).catch(() => {})
    await other.goto(`${server.url}tutorial.html`)
    await other.evaluate(async () => {
      const request = indexedDB.open('convlet-studio')
      globalThis.held = await new Promise((resolve) => (request.onsuccess = () => resolve(request.result)))
      indexedDB.deleteDatabase('convlet-studio')
    })
    await page.clock.install()
    await page.goto(`${server.url}teach.html`)
    while ((await page.locator('.class-card').count()) === 0) {
      await page.clock.fastForward(3_000)
      await page.waitForTimeout(100)
    }
    assert.match(await studio.trouble(), /does not answer.*save the project/)
    await studio.add('Class 1', files(1, [180, 20, 30]))
    await studio.close()
  })

  test('aborted: said, what was kept stays, and the next picture is kept', async () => {
    const studio = await openStudio(browser, server, () => {
      const { transaction } = IDBDatabase.prototype
      IDBDatabase.prototype.transaction = function (...given) {
        const begun = transaction.apply(this, given)
        if (globalThis.abortNext && given[1] === 'readwrite') setTimeout(() => begun.abort())
        return begun
      }
    })
    const [one, two] = files(2, [180, 20, 30])
    await studio.add('Class 1', [one])
    await studio.page.evaluate(() => {
      // In the midst of it, before the requests are through.
      const { put } = IDBObjectStore.prototype
      IDBObjectStore.prototype.put = function (...given) {
        const request = put.apply(this, given)
        if (globalThis.abortNext) this.transaction.abort()
        return request
      }
      globalThis.abortNext = true
    })
    await studio.card('Class 1').locator('input[type=file]').setInputFiles([two])
    assert.match(await studio.trouble(), /could not keep or read the data/)
    assert.deepEqual((await studio.classes())[0], ['Class 1', 1])
    await studio.page.evaluate(() => (globalThis.abortNext = false))
    await studio.add('Class 1', [two])
    await studio.reload()
    assert.deepEqual((await studio.classes())[0], ['Class 1', 2])
    await studio.close()
  })

  test('wiped: said, and a reload begins anew', async () => {
    const studio = await openStudio(browser, server)
    await studio.add('Class 1', files(2, [180, 20, 30]))
    const other = await studio.context.newPage()
    await other.goto(`${server.url}tutorial.html`)
    await other.evaluate(
      () => new Promise((resolve) => Object.assign(indexedDB.deleteDatabase('convlet-studio'), { onsuccess: resolve })),
    )
    await studio.card('Class 1').locator('input[type=file]').setInputFiles(files(1, [180, 20, 30]))
    assert.match(await studio.trouble(), /taken away.*reload/)
    await studio.reload()
    assert.deepEqual(await studio.classes(), [['Class 1', 0], ['Class 2', 0]])
    await studio.close()
  })
})
