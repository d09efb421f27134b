// Run in the client's namespace: `node asker.ts PORT EDGE=ADDRESS...`. For each line IP that comes in it asks IP from
// each of these addresses, which lead through one edge each, until it is answered, and prints when that was.
import { connect, type Socket } from 'node:net'
import { createInterface } from 'node:readline'
import { systemClock } from '@weir/kernel'
import type { Noted } from './sightings.ts'

const [port = '', ...ways] = process.argv.slice(2)
/** A SYN that nobody takes is sent again after a second: others are sent meanwhile. */
const askEveryMs = 10
const patienceMs = 60_000
/** Connections that wait for an answer; those before are given up. */
const mostWaiting = 50

const askThrough = (edge: string, from: string, ip: string): void => {
  const waiting: Socket[] = []
  const end = systemClock.now() + patienceMs
  const finish = (): void => {
    clearInterval(timer)
    for (const socket of waiting) socket.destroy()
  }
  const ask = (): void => {
    if (systemClock.now() > end) return finish()
    const socket = connect({ host: ip, port: Number(port), localAddress: from })
    // Refused or unreachable is not answered.
    socket.on('error', () => socket.destroy())
    socket.once('data', () => {
      const noted: Noted = { who: ip, mark: `answered ${edge}`, at: systemClock.now() }
      process.stdout.write(`${JSON.stringify(noted)}\n`)
      finish()
    })
    waiting.push(socket)
    if (waiting.length > mostWaiting) waiting.shift()?.destroy()
  }
  const timer = setInterval(ask, askEveryMs)
  ask()
}

createInterface({ input: process.stdin }).on('line', (ip) => {
  for (const way of ways) {
    const [edge = '', from = ''] = way.split('=')
    askThrough(edge, from, ip)
  }
})
process.stdin.on('close', () => process.exit(0))
