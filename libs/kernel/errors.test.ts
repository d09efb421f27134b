import { describe, expect, test } from 'vitest'
import { assert, assertNever, Bug, explainError, OperatingError } from './errors.ts'

describe('a failure of the world', () => {
  test('keeps its cause and says when to try again', () => {
    const cause = new Error('connection refused')
    const error = new OperatingError('cannot read edge-1', { cause, retry: { afterMs: 500 } })
    expect(error).toMatchObject({ name: 'OperatingError', cause, retry: { afterMs: 500 } })
  })

  test('has no cause and no promise of another try unless told', () => {
    const error = new OperatingError('cannot read edge-1')
    expect('cause' in error).toBe(false)
    expect(error.retry).toBeUndefined()
  })
})

describe('a mistake of ours', () => {
  test('is a Bug, and names the invariant', () => {
    expect(() => assert(false, 'a lease has one holder')).toThrow(new Bug('a lease has one holder'))
  })
  test('is nothing when what must be true is', () => {
    expect(() => assert(1, 'a lease has one holder')).not.toThrow()
  })
  test('shows the case that nobody thought of', () => {
    expect(() => assertNever('Lost' as never)).toThrow('unreachable case: "Lost"')
  })
})

describe('the explanation of an error', () => {
  test('goes from what was attempted to the root cause', () => {
    const root = new Error('connection refused')
    const error = new OperatingError('cannot program edge-1', {
      cause: new OperatingError('no answer', { cause: root }),
    })
    expect(explainError(error)).toBe('cannot program edge-1: no answer: connection refused')
  })

  test.each([
    ['a text', 'late', '"late"'],
    ['an object', { code: 7 }, '{"code":7}'],
    ['nothing', undefined, ''],
    ['an error without words', new TypeError(''), 'TypeError'],
  ])('takes what others throw: %s', (_what, thrown, told) => {
    expect(explainError(thrown)).toBe(told)
  })

  test('ends, even if an error is its own cause', () => {
    const error = new Error('again')
    error.cause = error
    expect(explainError(error).split(': ')).toHaveLength(8)
  })
})
