import { describe, expect, it } from 'vitest'
import { parseConfig } from '../config/load.ts'
import { connectionLines } from './connection-lines.ts'
import { styleFor } from './style.ts'

describe('lines to paste into engines', () => {
  it('of a warehouse in S3 name the store, and no secret', async () => {
    const config = await parseConfig(`
      warehouses:
        lake:
          location: s3://lake/w
          storage:
            {type: s3, endpoint: "http://s3.local:9000", pathStyleAccess: true, accessKeyId: hunter2, secretAccessKey: hunter2}
    `)
    const lines = connectionLines('http://h:1', 'lake', config.warehouses.lake!, styleFor(process.stderr))
    const text = lines.join('\n')
    expect(text).toContain('iceberg-aws-bundle')
    expect(text).toContain('spark.sql.catalog.moulin.io-impl=org.apache.iceberg.aws.s3.S3FileIO')
    expect(text).toContain('s3.endpoint=http://s3.local:9000\n  s3.path-style-access=true')
    expect(text).not.toContain('hunter2')
    // A backslash continues a line of the shell: the last line of Spark's must not have one.
    const spark = lines.filter((line) => line.includes('spark.sql.catalog'))
    expect(spark.map((line) => line.endsWith('\\'))).toEqual([...Array(spark.length - 1).fill(true), false])
  })
})
