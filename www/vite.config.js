import { defineConfig } from 'vite'
import { policy, policyFile } from './policy.js'
import { precache } from './precache.js'

/**
 * The tutorial is shown once its elements are there, so that nothing moves when they come. Vite drops the attribute that
 * says so. A script that fails to load holds nothing up.
 *
 * @type {import('vite').Plugin}
 */
const elementsFirst = {
  name: 'elements-first',
  transformIndexHtml: {
    order: 'post',
    handler: (html, { path }) =>
      path.endsWith('/tutorial.html') ? html.replace('<script type="module"', '$& blocking="render"') : html,
  },
}

export default defineConfig({
  plugins: [elementsFirst, precache, policyFile],
  preview: { headers: policy },
  // The pages may lie anywhere on any host.
  base: './',
  // A missing file answers 404, not the front page.
  appType: 'mpa',
  // In one file: a part that came later would import the worker's own script, of which WebKit then makes a second one.
  worker: { format: 'es', rolldownOptions: { output: { codeSplitting: false } } },
  build: {
    target: ['chrome111', 'firefox115', 'safari16.4'],
    modulePreload: { polyfill: false },
    // Inlined pictures would be `data:` addresses, and paid for whether shown or not.
    assetsInlineLimit: 0,
    rolldownOptions: {
      input: ['index.html', 'teach.html', 'tutorial.html'],
      output: {
        // A model keeps its name: the page shows it and others link to it.
        assetFileNames: ({ names }) =>
          names[0]?.endsWith('.safetensors') ? 'models/[name][extname]' : 'assets/[name]-[hash][extname]',
      },
    },
  },
})
