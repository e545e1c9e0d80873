import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { createServer } from 'node:http'
import { extname, join, normalize } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The checkout's `www` folder. */
export const WWW = fileURLToPath(new URL('../../../www/', import.meta.url))

const TYPES = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript',
  '.css': 'text/css',
  '.svg': 'image/svg+xml',
  '.wasm': 'application/wasm',
}

/**
 * A plain static host of `root`, under a path of its own as any project's page is. A path in `answers` is answered by
 * that function instead: how tests make a server misbehave.
 *
 * @param {string} root
 * @param {{ [path: string]: (request: import('node:http').IncomingMessage, response: import('node:http').ServerResponse) => void }} [answers]
 * @param {{ [header: string]: string }} [headers] sent with every file
 */
export async function serve(root, answers = {}, headers = {}) {
  const base = '/some/where/'
  const server = createServer(async (request, response) => {
    const path = new URL(request.url ?? '', 'http://host').pathname.replace(base, '/')
    if (answers[path]) return answers[path](request, response)
    const file = join(root, normalize(path), path.endsWith('/') ? 'index.html' : '')
    const size = await stat(file).then((found) => (found.isFile() ? found.size : undefined), () => undefined)
    if (size === undefined) return response.writeHead(404).end('not found')
    const type = TYPES[extname(file)] ?? 'application/octet-stream'
    response.writeHead(200, { 'content-type': type, 'content-length': size, 'cache-control': 'no-store', ...headers })
    createReadStream(file).pipe(response)
  })
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address()
  return {
    port,
    answers,
    url: `http://localhost:${port}${base}`,
    close: () => {
      server.closeAllConnections()
      return new Promise((resolve) => server.close(resolve))
    },
  }
}
