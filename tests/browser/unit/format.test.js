import assert from 'node:assert/strict'
import { test } from 'node:test'
import { bytes, milliseconds, percent, question } from '../../../www/page/format.js'

test('a percentage never rounds to a certainty', () => {
  assert.equal(percent(0.9734), '97.3%')
  assert.equal(percent(0.99996), '> 99.9%')
  assert.equal(percent(0.00004), '< 0.1%')
  assert.equal(percent(0), '0.0%')
  assert.equal(percent(1), '100.0%')
})

test('times and sizes keep two or three digits and their unit', () => {
  assert.equal(milliseconds(0.04), '< 0.1 ms')
  assert.equal(milliseconds(1.23), '1.2 ms')
  assert.equal(milliseconds(123.4), '123 ms')
  assert.equal(bytes(12), '12 bytes')
  assert.equal(bytes(2048), '2.0 kB')
  assert.equal(bytes(3_252_868), '3.3 MB')
})

test('the question names the labels while they are few', () => {
  assert.equal(question(['cat', 'dog']), 'Cat or dog?')
  assert.equal(question(['paper', 'rock', 'scissors']), 'Paper, rock or scissors?')
  assert.equal(question(['0', '1', '2', '3', '4']), 'What is it?')
  assert.equal(question(['cat']), 'What is it?')
})
