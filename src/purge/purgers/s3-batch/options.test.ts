import { describe, expect, it } from 'vitest'
import { s3BatchOptions } from './options.ts'
import { createS3BatchPurger } from './s3-batch-purger.ts'

const given = {
  accountId: '123456789012',
  roleArn: 'arn:aws:iam::123456789012:role/moulin',
  region: 'eu-west-1',
  manifestLocation: 's3://operations/moulin/',
  strategy: 'tag',
}
const functionArn = 'arn:aws:lambda:eu-west-1:123456789012:function:erase:prod'
const lambda = { ...given, strategy: 'lambda', functionArn }

describe('options of s3-batch', () => {
  it('fills in what is not said', () => {
    expect(s3BatchOptions(given)).toMatchObject({
      manifestLocation: 's3://operations/moulin',
      controlEndpoint: undefined,
      priority: 10,
      jobInterval: 60_000,
      storage: { endpoint: undefined, region: 'eu-west-1', pathStyleAccess: false, accessKeyId: undefined },
      strategy: {
        kind: 'tag',
        tag: { key: 'moulin-purge', value: 'expire' },
        installLifecycleRule: false,
        lifecycleInterval: 900_000,
        deadline: 604_800_000,
      },
    })
    expect(s3BatchOptions(lambda).strategy).toEqual({ kind: 'lambda', functionArn })
  })

  it.each([
    [{ ...given, account: '1' }, 'account is not an option'],
    [{ ...given, accountId: 123456789012 }, 'accountId must be a text'],
    [{ ...given, accountId: '12' }, 'accountId must be twelve digits'],
    [{ ...given, roleArn: 'moulin' }, 'roleArn must be the ARN of a role'],
    [{ ...given, region: undefined }, 'region is missing'],
    [{ ...given, controlEndpoint: 'localhost' }, 'controlEndpoint must be the URL of a host'],
    [{ ...given, controlEndpoint: 'https://user:secret@host' }, 'controlEndpoint must be the URL of a host'],
    [{ ...given, manifestLocation: 'operations/moulin' }, 'manifestLocation must be s3://bucket/prefix'],
    [
      { ...given, manifestLocation: `s3://operations/${'x'.repeat(300)}` },
      'manifestLocation must be s3://bucket/prefix',
    ],
    [{ ...given, strategy: 'delete' }, 'strategy must be one of tag, lambda'],
    [{ ...given, tag: { key: 'a*' } }, 'tag.key must be at most 128 letters'],
    [{ ...given, functionArn }, 'functionArn is for strategy: lambda only'],
    [{ ...lambda, functionArn: 'erase' }, 'functionArn must be the ARN of a function'],
    [{ ...lambda, functionArn: undefined }, 'functionArn is missing'],
    [{ ...lambda, deadline: '7d' }, 'deadline is for strategy: tag only'],
    [{ ...given, deadline: '47h' }, 'deadline must be at least 2d'],
    [{ ...given, priority: -1 }, 'priority must be an integer from 0'],
    [{ ...given, storage: { accessKeyId: 'a' } }, 'belong together'],
    [{ ...given, storage: { bucket: 'a' } }, 'storage.bucket is not an option'],
  ])('refuses %j', (options, message) => {
    expect(() => s3BatchOptions(options)).toThrow(message)
  })

  it('never tells a secret', () => {
    const storage = { accessKeyId: 'a', secretAccessKey: ['hunter2'] }
    expect(() => s3BatchOptions({ ...given, storage })).toThrow(
      /^storage.secretAccessKey must be a text that is not empty$/,
    )
  })

  const make = (location: string, options = given) =>
    createS3BatchPurger(options, { warehouse: { name: 'w', location } } as never)

  it('is for warehouses on S3, whose tables the manifests are not among', () => {
    expect(() => make('file:///srv/warehouse')).toThrow('the warehouse w is not on S3')
    expect(() => make('s3://operations/moulin')).toThrow('manifestLocation must lie outside')
    expect(() => make('s3://operations')).toThrow('manifestLocation must lie outside')
    expect(make('s3://operations/moulin-2')).toMatchObject({ name: 's3-batch', waits: false })
  })
})
