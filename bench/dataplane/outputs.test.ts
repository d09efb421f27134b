import { expect, test } from 'vitest'
import { abNumbersOf, gigabitsOf, resentOf, ticksOf, wrkNumbersOf } from './outputs.ts'

test('iperf3 tells what arrived, not what was sent', () => {
  const sums = { sum_sent: { bits_per_second: 9e9 }, sum_received: { bits_per_second: 8.5e9 } }
  expect(gigabitsOf(JSON.stringify({ start: {}, end: sums }))).toBe(8.5)
})

const wrk = `Running 1s test @ http://203.0.113.1:8081/
  1 threads and 1 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency    70.20us   12.01us   1.02ms   93.12%
    Req/Sec    14.01k     1.02k   15.22k    70.00%
  Latency Distribution
     50%   66.00us
     75%   72.00us
     90%   85.00us
     99%    1.20ms
  13940 requests in 1.00s, 1.30MB read
`

test('wrk tells times in units that fit them', () => {
  const said = `${wrk}Requests/sec:  13871.52\nTransfer/sec:      1.29MB\n`
  expect(wrkNumbersOf(said)).toEqual({ p50: 66, p99: 1200, perSecond: 13_871.52, failed: 0 })
})

test('wrk’s errors of sockets and answers count as failed', () => {
  const said =
    `${wrk}  Socket errors: connect 1, read 2, write 0, timeout 4\n` +
    `  Non-2xx or 3xx responses: 8\nRequests/sec:      1.00\n`
  expect(wrkNumbersOf(said).failed).toBe(15)
})

test('ab tells connections per second, and those that failed', () => {
  const said = `Complete requests:      512
Failed requests:        3
   (Connect: 0, Receive: 3, Length: 0, Exceptions: 0)
Requests per second:    511.20 [#/sec] (mean)
`
  expect(abNumbersOf(said)).toEqual({ perSecond: 511.2, failed: 3 })
})

test('a program that printed something else is quoted', () => {
  expect(() => abNumbersOf('apr_socket_recv: Connection refused')).toThrow('Connection refused')
})

test('what was sent again stands under its name in the kernel’s tables', () => {
  const proc = `Ip: Forwarding InHdrErrors
Ip: 1 0
Tcp: RtoAlgorithm RetransSegs InErrs
Tcp: 1 17 0
TcpExt: SyncookiesSent TCPSynRetrans
TcpExt: 0 5
`
  expect(resentOf(proc)).toEqual({ segments: 17, syns: 5 })
})

test('time in programs is apart from the kernel’s, and waiting for a disk is idle', () => {
  const stat = 'cpu  100 5 50 700 40 0 5 0 0 0\ncpu0 50 2 25 350 20 0 2 0 0 0\n'
  expect(ticksOf(stat)).toEqual({ programs: 105, idle: 740, all: 900 })
})
