import assert from 'node:assert/strict'
import { test } from 'node:test'
import { cameraError } from '../../../www/client/camera.js'
import { fetchBytes, fileName } from '../../../www/client/fetch.js'
import { copyRows } from '../../../www/client/pixels.js'

/** Answers every fetch with this. */
function answer(t, body, init) {
  t.mock.method(globalThis, 'fetch', async () => new Response(body, init))
}

test('a file is named by the end of its address', () => {
  assert.equal(fileName('https://host/a/b%20c.safetensors?x=1/2#y'), 'b c.safetensors')
  assert.equal(fileName(new URL('model.bin', 'https://host/')), 'model.bin')
  assert.equal(fileName('https://host/'), 'https://host/')
})

test('the bytes come whole, with their progress', async (t) => {
  const chunks = [Uint8Array.of(1, 2, 3), Uint8Array.of(4, 5)]
  answer(t, ReadableStream.from(chunks), { headers: { 'content-length': '5' } })
  const reports = []
  const bytes = await fetchBytes('m.bin', { onProgress: (progress) => reports.push(progress) })
  assert.deepEqual([...bytes], [1, 2, 3, 4, 5])
  assert.deepEqual(reports.map(({ loaded, progress }) => [loaded, progress]), [[0, 0], [3, 0.6], [5, 1]])
})

test('the total of a compressed body is not known', async (t) => {
  answer(t, 'abc', { headers: { 'content-length': '2', 'content-encoding': 'br' } })
  const reports = []
  await fetchBytes('m.bin', { onProgress: (progress) => reports.push(progress) })
  assert.deepEqual(reports.at(-1), { file: 'm.bin', loaded: 3, total: undefined, progress: undefined })
})

test('each failure names the file and has a code', async (t) => {
  const failures = [
    ['short', { headers: { 'content-length': '100' } }, 'network', /m\.bin: expected 100 bytes.* 5/],
    ['gone', { status: 410 }, 'network', /m\.bin: the server answered 410/],
    ['<html>', { headers: { 'content-type': 'text/html' } }, 'file', /m\.bin: .*HTML/],
  ]
  for (const [body, init, code, message] of failures) {
    answer(t, body, init)
    await assert.rejects(fetchBytes('m.bin'), { name: 'ConvletError', code, message })
    t.mock.restoreAll()
  }
})

test('an abort rejects with its own reason', async (t) => {
  const reason = new Error('enough')
  t.mock.method(globalThis, 'fetch', async (_url, { signal }) => signal.throwIfAborted())
  await assert.rejects(fetchBytes('m.bin', { signal: AbortSignal.abort(reason) }), reason)
})

test('each camera failure has its code', () => {
  const code = (name) => cameraError(new DOMException('', name)).code
  assert.equal(code('NotAllowedError'), 'camera-denied')
  assert.equal(code('SecurityError'), 'camera-denied')
  assert.equal(code('NotFoundError'), 'camera-absent')
  assert.equal(code('OverconstrainedError'), 'camera-absent')
  assert.equal(code('NotReadableError'), 'camera-in-use')
  assert.equal(code('SomethingNew'), 'camera-in-use')
})

test('rows of a strip land in their places', () => {
  const whole = new Uint8ClampedArray(12)
  copyRows(Uint8ClampedArray.of(1, 2, 3, 4), 2, whole, 5, 4)
  assert.deepEqual([...whole], [0, 0, 0, 0, 0, 1, 2, 0, 0, 3, 4, 0])
  copyRows(Uint8ClampedArray.of(7, 8, 9, 9), 4, whole, 8, 4)
  assert.deepEqual([...whole.subarray(8)], [7, 8, 9, 9])
})
