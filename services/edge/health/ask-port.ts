import { connect } from 'node:net'

/** Whether somebody accepts a TCP connection there within `timeoutMs`; it is closed at once. */
export const askPort = (ip: string, port: number, timeoutMs: number): Promise<boolean> => {
  const { promise, resolve } = Promise.withResolvers<boolean>()
  const socket = connect({ host: ip, port })
  const finish = (answered: boolean): void => {
    clearTimeout(timer)
    socket.destroy()
    resolve(answered)
  }
  const timer = setTimeout(() => finish(false), timeoutMs)
  socket.once('connect', () => finish(true))
  socket.on('error', () => finish(false))
  return promise
}
