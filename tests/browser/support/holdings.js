import assert from 'node:assert/strict'

/**
 * What a page holds once its garbage is gone: bytes of heap and of wasm memory, DOM nodes, listeners.
 *
 * @param {import('playwright-core').Page} page
 */
export async function holdings(page) {
  const session = await page.context().newCDPSession(page)
  await page.waitForTimeout(700)
  await session.send('HeapProfiler.collectGarbage')
  const { usedSize } = await session.send('Runtime.getHeapUsage')
  const { nodes, jsEventListeners } = await session.send('Memory.getDOMCounters')
  await session.detach()
  return { heap: usedSize, nodes, listeners: jsEventListeners, wasm: await page.evaluate(() => globalThis.wasmMemory) }
}

/**
 * That a page holds no more after 200 rounds of `cycle` than after the first few.
 *
 * @param {import('playwright-core').Page} page
 * @param {(times: number) => Promise<unknown>} cycle
 * @param {{ first: number, heap: number }} bounds rounds before the first look, and bytes that the heap may breathe
 */
export async function assertNothingGrows(page, cycle, bounds) {
  await cycle(bounds.first)
  const first = await holdings(page)
  await cycle(200)
  const last = await holdings(page)
  assert.ok(last.nodes <= first.nodes + 40, `nodes: ${first.nodes}, ${last.nodes}`)
  assert.ok(last.listeners <= first.listeners + 20, `listeners: ${first.listeners}, ${last.listeners}`)
  assert.ok(last.heap <= first.heap + bounds.heap, `heap: ${first.heap}, ${last.heap}`)
  assert.equal(last.wasm, first.wasm)
}
