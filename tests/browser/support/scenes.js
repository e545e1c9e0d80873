/**
 * A camera of scenes that a test chooses: `getUserMedia` gives a drawn canvas. Each scene has its colour and its shape;
 * place, size and brightness change from frame to frame, as before a real camera.
 */

/**
 * @param {import('playwright-core').Page | import('playwright-core').BrowserContext} target
 */
export function useScenes(target) {
  return target.addInitScript(() => {
    const canvas = document.createElement('canvas')
    canvas.width = 320
    canvas.height = 240
    const context = canvas.getContext('2d')
    globalThis.scene = 'ball'
    let frame = 0
    const draw = () => {
      frame++
      // Any sequence will do that does not repeat soon.
      const wave = (speed) => Math.sin(frame * speed)
      const [x, y, size] = [160 + 50 * wave(0.37), 120 + 30 * wave(0.53), 50 + 14 * wave(0.71)]
      const light = 150 + 25 * wave(0.29)
      context.fillStyle = `rgb(${light} ${light} ${light + 10})`
      context.fillRect(0, 0, 320, 240)
      const paint = { ball: 'rgb(220 40 40)', box: 'rgb(40 170 70)', bars: 'rgb(40 70 210)' }
      context.fillStyle = paint[globalThis.scene] ?? 'rgb(0 0 0)'
      if (globalThis.scene === 'ball') {
        context.beginPath()
        context.arc(x, y, size, 0, 7)
        context.fill()
      } else if (globalThis.scene === 'box') context.fillRect(x - size, y - size, size * 2, size * 2)
      else for (let bar = -2; bar <= 2; bar++) context.fillRect(x + bar * 30 - 8, y - size * 1.5, 16, size * 3)
    }
    draw()
    setInterval(draw, 40)
    navigator.mediaDevices.getUserMedia = async () => canvas.captureStream(25)
  })
}

/**
 * @param {import('playwright-core').Page} page
 * @param {'ball' | 'box' | 'bars'} name
 */
export async function showScene(page, name) {
  await page.evaluate((name) => (globalThis.scene = name), name)
  // Until the frames before it have gone by.
  await page.waitForTimeout(150)
}
