/**
 * What the pages may do, as headers: for hosts that can send some. Each page says the first itself, by a `meta`; the rest
 * has no other way. `www/start` sends them, and the build lists them in `_headers`, which several static hosts read.
 */
import { readFileSync } from 'node:fs'

const page = readFileSync(new URL('index.html', import.meta.url), 'utf8')
const [, contentSecurityPolicy] = /http-equiv="Content-Security-Policy"\s+content="([^"]*)"/.exec(page) ?? []
if (!contentSecurityPolicy) throw new Error('index.html: expected a Content-Security-Policy, found none')

/** What no page of ours asks for. */
const UNUSED = [
  ...['accelerometer', 'bluetooth', 'browsing-topics', 'display-capture', 'encrypted-media', 'geolocation', 'gyroscope'],
  ...['hid', 'idle-detection', 'magnetometer', 'microphone', 'midi', 'payment', 'screen-wake-lock', 'serial', 'usb'],
  'xr-spatial-tracking',
]

export const policy = {
  'Content-Security-Policy': contentSecurityPolicy,
  'Permissions-Policy': ['camera=(self)', ...UNUSED.map((name) => `${name}=()`)].join(', '),
  'Referrer-Policy': 'no-referrer',
  'X-Content-Type-Options': 'nosniff',
}

/**
 * Comes after the list of what the service worker keeps: a host does not serve this file.
 *
 * @type {import('vite').Plugin}
 */
export const policyFile = {
  name: 'policy-file',
  apply: 'build',
  enforce: 'post',
  generateBundle() {
    const lines = Object.entries(policy).map(([name, value]) => `  ${name}: ${value}\n`)
    this.emitFile({ type: 'asset', fileName: '_headers', source: `/*\n${lines.join('')}` })
  },
}
