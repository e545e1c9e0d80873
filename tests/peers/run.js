/**
 * tests/peers/run [--serve] [--json FILE]
 * Convlet beside the other engines, in headless Chromium: prints the tables, and writes all figures where FILE says.
 * With --serve, serves the page for a browser of your own instead.
 */
import { writeFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { launch } from '../browser/support/browser.js'
import { engineRows, markdown, targetRows } from './report.js'
import { serveBench } from './server.js'

const { values: options } = parseArgs({ options: { serve: { type: 'boolean' }, json: { type: 'string' } } })
const server = await serveBench(options.serve ? 8042 : 0)
if (options.serve) console.log(`${server.url} (Ctrl-C stops)`)
else {
  const browser = await launch()
  try {
    const page = await browser.newPage()
    page.setDefaultTimeout(20 * 60_000)
    await page.goto(server.url)
    await page.click('#run')
    await page.waitForFunction(() => globalThis.benchResult || globalThis.benchError)
    const failure = await page.evaluate(() => globalThis.benchError)
    if (failure) throw new Error(failure)
    const result = await page.evaluate(() => globalThis.benchResult)
    const most = Math.max(...Object.values(result.differences)).toExponential(1)
    console.log(`${result.machine.cpu}, Chromium ${browser.version()}, one thread`)
    console.log(`outputs differ by ${most} at most, ${result.tolerance} is allowed\n`)
    console.log(`${markdown(engineRows(result))}\n\n${markdown(targetRows(result))}`)
    if (options.json) writeFileSync(options.json, `${JSON.stringify(result, undefined, 2)}\n`)
  } finally {
    await browser.close()
    server.close()
  }
}
