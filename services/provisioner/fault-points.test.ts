import { expect, test } from 'vitest'
import { plantFault, type FaultPoint } from './fault-points.ts'

const plant = (wanted: string | undefined, allowed = true) => {
  const died: FaultPoint[] = []
  return { reach: plantFault(wanted, allowed, (point) => died.push(point)), died }
}

test('a fault strikes at its place, at its time, once', () => {
  const { reach, died } = plant('provisioner.after-execute:2')
  reach('provisioner.after-execute')
  reach('provisioner.before-execute')
  expect(died).toEqual([])
  reach('provisioner.after-execute')
  reach('provisioner.after-execute')
  expect(died).toEqual(['provisioner.after-execute'])
})

test('without a wish nothing strikes, allowed or not', () => {
  const { reach, died } = plant(undefined, false)
  reach('provisioner.after-execute')
  expect(died).toEqual([])
})

test('a fault is refused where it is not allowed, and so is a place that does not exist', () => {
  expect(() => plant('provisioner.after-execute', false)).toThrow(/WEIR_ALLOW_FAULT_POINTS=1/)
  expect(() => plant('provisioner.nowhere')).toThrow(/one of provisioner.after-record/)
  expect(() => plant('provisioner.after-execute:0')).toThrow(/NAME or NAME:N/)
})
