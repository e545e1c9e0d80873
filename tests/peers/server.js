/** Serves the checkout to the bench page, and what is made for it. */
import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { createServer } from 'node:http'
import { cpus } from 'node:os'
import { extname, join, normalize } from 'node:path'
import { fileURLToPath } from 'node:url'
import { ceilingModule } from './ceiling.js'
import { modelFile, onnxFile } from './model.js'

const ROOT = fileURLToPath(new URL('../../', import.meta.url))
const PAGE = '/tests/peers/'
const TYPES = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript',
  '.mjs': 'text/javascript',
  '.css': 'text/css',
  '.json': 'application/json',
  '.svg': 'image/svg+xml',
  '.wasm': 'application/wasm',
}

/** @param {number} [port] any, where none is named */
export async function serveBench(port = 0) {
  const model = await modelFile()
  const made = {
    'article.safetensors': model,
    'article.onnx': onnxFile(model),
    'ceiling-strict.wasm': ceilingModule('strict'),
    'ceiling-relaxed.wasm': ceilingModule('relaxed'),
    'machine.json': JSON.stringify({ cpu: cpus()[0].model.trim() }),
  }
  let served = []
  const server = createServer(async (request, response) => {
    const path = new URL(request.url ?? '', 'http://host').pathname
    const name = path.startsWith(PAGE) ? path.slice(PAGE.length) : undefined
    if (path === '/') return response.writeHead(302, { location: `${PAGE}index.html` }).end()
    if (name === 'served') {
      response.writeHead(200, { 'content-type': TYPES['.json'] }).end(JSON.stringify(served))
      served = []
      return
    }
    served.push(path)
    const headers = { 'content-type': TYPES[extname(path)] ?? 'application/octet-stream', 'cache-control': 'no-store' }
    if (name && made[name]) return response.writeHead(200, headers).end(made[name])
    const file = join(ROOT, normalize(path))
    const size = await stat(file).then((found) => (found.isFile() ? found.size : undefined), () => undefined)
    if (size === undefined) return response.writeHead(404).end('not found')
    response.writeHead(200, { ...headers, 'content-length': size })
    createReadStream(file).pipe(response)
  })
  await new Promise((resolve) => server.listen(port, '127.0.0.1', () => resolve(undefined)))
  return {
    url: `http://localhost:${server.address().port}${PAGE}index.html`,
    close: () => (server.closeAllConnections(), server.close()),
  }
}
