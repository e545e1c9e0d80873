/** Ways to make a server, a worker and an engine fail. */

/**
 * Answers with the first bytes of `body`, as many as the address asks for (`?cut=1024`), then breaks the connection off.
 *
 * @param {Buffer} body
 * @param {string} [type]
 */
export function answerCut(body, type = 'application/octet-stream') {
  return (request, response) => {
    const { searchParams } = new URL(request.url, 'http://host')
    const cut = Number(searchParams.get('cut'))
    const headers = { 'content-type': type, 'cache-control': 'no-store' }
    // Without a length it is sent in chunks, the last of which never comes.
    if (!searchParams.has('chunked')) headers['content-length'] = body.length
    response.writeHead(200, headers)
    response.write(body.subarray(0, cut), () => response.destroy())
  }
}

/**
 * The engine's binary with a limit on its memory, which it then cannot grow beyond.
 *
 * @param {Buffer} wasm
 * @param {number} pages of 64 KiB
 */
export function withMemoryLimit(wasm, pages) {
  for (let at = 8; at < wasm.length; ) {
    const [size, content] = readLeb(wasm, at + 1)
    if (wasm[at] === 5) {
      const [minimum] = readLeb(wasm, content + 2)
      const limits = [1, 1, ...leb(minimum), ...leb(Math.max(minimum, pages))]
      const section = Buffer.from([5, ...leb(limits.length), ...limits])
      return Buffer.concat([wasm.subarray(0, at), section, wasm.subarray(content + size)])
    }
    at = content + size
  }
  throw new Error('expected a section of memory, found none')
}

/** The pages of memory that the binary begins with. @param {Buffer} wasm */
export function firstPages(wasm) {
  for (let at = 8; at < wasm.length; ) {
    const [size, content] = readLeb(wasm, at + 1)
    if (wasm[at] === 5) return readLeb(wasm, content + 2)[0]
    at = content + size
  }
  throw new Error('expected a section of memory, found none')
}

/** An unsigned LEB128 number and where it ends. */
function readLeb(bytes, at) {
  for (let value = 0, shift = 0; ; shift += 7) {
    const byte = bytes[at++]
    value += (byte & 0x7f) * 2 ** shift
    if (byte < 0x80) return [value, at]
  }
}

function leb(value) {
  const bytes = []
  for (; value > 0x7f; value >>>= 7) bytes.push((value & 0x7f) | 0x80)
  return [...bytes, value]
}

/**
 * Lets a test kill the worker: `killAt('classify')` ends the next one that is asked to do this, as a browser does that
 * ends it for its memory: an error event, and silence. `killAt(operation, times)` kills as many in a row.
 *
 * @param {import('playwright-core').Page} page
 */
export function useMortalWorkers(page) {
  return page.addInitScript(() => {
    globalThis.killed = []
    let [victim, times] = ['', 0]
    globalThis.killAt = (operation, count = 1) => ([victim, times] = [operation, count])
    globalThis.Worker = class extends Worker {
      postMessage(message, transfer) {
        if (times === 0 || message.operation !== victim) return super.postMessage(message, transfer)
        times--
        globalThis.killed.push(message.operation)
        this.terminate()
        setTimeout(() => this.dispatchEvent(new ErrorEvent('error', { message: 'out of memory', cancelable: true })))
      }
    }
  })
}
