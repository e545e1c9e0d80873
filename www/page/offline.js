/** Has the built site keep itself for times without a network, where the browser lets it. */

/** Milliseconds after the page's load: its first answer should have the network for itself. */
const LATER = 2000

// @ts-ignore: Vite's own
if (import.meta.env.MODE === 'production' && 'serviceWorker' in navigator)
  addEventListener('load', () => setTimeout(keep, LATER))

function keep() {
  // Without it, the page is as good while there is a network.
  navigator.serviceWorker.register('service-worker.js').catch(() => {})
}
