/**
 * Which engine the studio asks for, wherever it does: the strict one, so that a training goes on to the same bits on any
 * machine; and one alone, as each is a download.
 */
export const ENGINE = { deterministic: true }
