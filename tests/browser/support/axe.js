import axe from 'axe-core'

/**
 * What axe-core has to say of a page: each rule that it breaks, and by what.
 *
 * @param {import('playwright-core').Page} page
 * @returns {Promise<string[]>}
 */
export async function axeFindings(page) {
  await page.evaluate(axe.source)
  const { violations } = await page.evaluate(() => globalThis.axe.run(document, { resultTypes: ['violations'] }))
  const where = ({ target, html }) => `${target.flat().join(' ')} ${html}`
  return violations.map(({ id, nodes }) => `${id}: ${nodes.map(where).join(', ')}`)
}
