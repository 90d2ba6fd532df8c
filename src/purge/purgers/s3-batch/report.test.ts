import { describe, expect, it } from 'vitest'
import { Random } from '../../../testing/random.ts'
import { FaultyStore } from '../../../testing/stores/faulty-store.ts'
import { VirtualClock } from '../../../testing/virtual-clock.ts'
import { failedTasks, NoReportError } from './report.ts'

const reports = 's3://operations/reports'
const signal = new AbortController().signal

async function read(rows: readonly string[], lineEnd = '\n', limit = 100) {
  const io = new FaultyStore(new VirtualClock(), new Random(1))
  const Key = 'reports/job-1/results/a.csv'
  const index = { Results: [{ TaskExecutionStatus: 'failed', Bucket: 'operations', Key }] }
  await io.write(`${reports}/job-1/manifest.json`, Buffer.from(JSON.stringify(index)))
  await io.write(`s3://operations/${Key}`, Buffer.from(rows.map((row) => row + lineEnd).join('')))
  return await failedTasks(io, reports, '1', limit, signal)
}

describe('a completion report', () => {
  it.each([
    ['400,InvalidTag', 'failed', 'InvalidTag'],
    ['InvalidTag,400', 'failed', 'InvalidTag'],
    ['403,AccessDenied', 'blocked', 'AccessDenied'],
    ['AccessDenied,403', 'blocked', 'AccessDenied'],
    ['403,Forbidden', 'blocked', 'Forbidden'],
    ['404,NoSuchBucket', 'failed', 'NoSuchBucket'],
    ['503,SlowDown', 'failed', 'SlowDown'],
    [',', 'failed', 'Unknown'],
  ])('has the status and the code in any order: %s', async (result, outcome, code) => {
    expect(await read([`lake,a%2Bb,,failed,${result},"no, it is not"`])).toEqual([
      { path: 's3://lake/a+b', stage: 'data', outcome, code, message: 'no, it is not' },
    ])
  })

  it.each(['404,NoSuchKey', 'NoSuchKey,404'])('does not count what is not there: %s', async (result) => {
    expect(await read([`lake,a,,failed,${result},The specified key does not exist.`])).toEqual([])
  })

  it.each([
    ['AccessDenied: no', 'blocked', 'AccessDenied'],
    ['Lambda answered: InternalError: once', 'failed', 'InternalError'],
    ['Lambda returned function error: {""errorMessage"":""Task timed out""}', 'failed', 'PermanentFailure'],
  ])('has a function’s own code: %s', async (text, outcome, code) => {
    expect(await read([`lake,a,,failed,200,PermanentFailure,"${text}"`])).toMatchObject([{ outcome, code }])
  })

  it('may have lines that end as on Windows, and messages of many lines', async () => {
    const rows = [
      'lake,a,,failed,500,InternalError,"one\r\ntwo\nthree"',
      'lake,b,,failed,403,AccessDenied,no',
    ]
    expect(await read(rows, '\r\n')).toMatchObject([
      { path: 's3://lake/a', message: 'one\r\ntwo\nthree' },
      { path: 's3://lake/b', outcome: 'blocked', message: 'no' },
    ])
  })

  it('is read up to a limit', async () => {
    const rows = ['a', 'b', 'c'].map((key) => `lake,${key},,failed,500,InternalError,no`)
    expect(await read(rows, '\n', 2)).toHaveLength(2)
  })

  it('may be missing', async () => {
    const io = new FaultyStore(new VirtualClock(), new Random(1))
    await expect(failedTasks(io, reports, '1', 1, signal)).rejects.toThrow(NoReportError)
  })
})
