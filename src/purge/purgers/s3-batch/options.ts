/** What stands under `purge.options` for the purger `s3-batch`. */
import type { S3StorageOptions } from '../../../storage/options.ts'
import { Section } from '../options-section.ts'

export interface S3BatchOptions {
  /** The account that the jobs belong to, twelve digits. */
  readonly accountId: string
  /** The role that S3 Batch Operations takes on for the jobs. */
  readonly roleArn: string
  /** Of the buckets, and so of the jobs. */
  readonly region: string
  /** URL of S3 Control. @default that of AWS for the region */
  readonly controlEndpoint: URL | undefined
  /** How buckets are reached: of the tables, and of the manifests. */
  readonly storage: S3StorageOptions
  /** `s3://bucket/prefix` without a slash at its end: manifests and completion reports are written below. */
  readonly manifestLocation: string
  readonly strategy: TagStrategy | LambdaStrategy
  /** Of the jobs among those of the account; higher goes first. @default 10 */
  readonly priority: number
  /** Milliseconds between two questions about a job. @default 60000 */
  readonly jobInterval: number
}

/** Jobs tag the objects; a lifecycle rule of the bucket expires what has the tag. */
export interface TagStrategy {
  readonly kind: 'tag'
  /** @default moulin-purge=expire */
  readonly tag: { readonly key: string; readonly value: string }
  /** Adds the rule to a bucket that lacks it. @default false */
  readonly installLifecycleRule: boolean
  /** Milliseconds between two looks whether the objects have expired. @default 900000 */
  readonly lifecycleInterval: number
  /** Milliseconds after the job in which the objects have to have expired, at least two days. @default 7 days */
  readonly deadline: number
}

/** Jobs invoke a function of the operator's for every object, which deletes it. */
export interface LambdaStrategy {
  readonly kind: 'lambda'
  readonly functionArn: string
}

const anAccount = /^\d{12}$/
const aRole = /^arn:[^:]+:iam::\d{12}:role\/.+$/
const aRegion = /^[a-z0-9-]{1,63}$/
const aFunction =
  /^arn:[^:]+:lambda:[a-z0-9-]+:\d{12}:function:[A-Za-z0-9-_]+(?::(?:\$LATEST|[A-Za-z0-9-_]+))?$/
const aLocation = /^s3:\/\/[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](?:\/[A-Za-z0-9!_.*'()-]+)*\/?$/
const aUrl = /^https?:\/\/[^/\s?#@]+\/?$/
/** What S3 takes for a tag's key and value. */
const tagKey = /^[\p{L}\p{Z}\p{N}_.:/=+\-@]{1,128}$/u
const tagValue = /^[\p{L}\p{Z}\p{N}_.:/=+\-@]{1,256}$/u
const tagCharacters = 'letters, digits, spaces and _ . : / = + - @'

/** Of S3: 512 characters for the prefix of a report, less what is put behind it. */
const longestLocation = 300
const day = 86_400_000
/** What `requireExpiry` needs for a rule of one day. */
const shortestDeadline = 2 * day
const highestPriority = 2_147_483_647

/** Reads the options and fills in the defaults. Throws an Error that names the option and says what it must be. */
export function s3BatchOptions(given: Readonly<Record<string, unknown>>): S3BatchOptions {
  const options = new Section('', given)
  options.knows(
    'accountId',
    'roleArn',
    'region',
    'controlEndpoint',
    'storage',
    'manifestLocation',
    'strategy',
    'tag',
    'installLifecycleRule',
    'lifecycleInterval',
    'deadline',
    'functionArn',
    'priority',
    'jobInterval',
  )
  const region = options.required('region', options.matching('region', aRegion, 'such as eu-west-1'))
  const control = options.matching('controlEndpoint', aUrl, 'the URL of a host: https://host')
  return {
    accountId: options.required(
      'accountId',
      options.matching('accountId', anAccount, 'twelve digits, in quotation marks'),
    ),
    roleArn: options.required(
      'roleArn',
      options.matching('roleArn', aRole, 'the ARN of a role: arn:aws:iam::123456789012:role/name'),
    ),
    region,
    controlEndpoint: control === undefined ? undefined : new URL(control),
    storage: storageOptions(options.section('storage'), region),
    manifestLocation: manifestLocation(options),
    strategy: strategyOptions(options),
    priority: options.integer('priority', 0, highestPriority) ?? 10,
    jobInterval: options.duration('jobInterval') ?? 60_000,
  }
}

function manifestLocation(options: Section): string {
  const what = `s3://bucket/prefix, of letters, digits and ! - _ . * ' ( ), at most ${longestLocation} characters`
  const location = options.required('manifestLocation', options.matching('manifestLocation', aLocation, what))
  if (location.length > longestLocation) throw new Error(`manifestLocation must be ${what}`)
  return location.replace(/\/$/, '')
}

function strategyOptions(options: Section): TagStrategy | LambdaStrategy {
  const kind = options.required('strategy', options.choice('strategy', ['tag', 'lambda']))
  if (kind === 'tag') {
    options.excludes('functionArn', 'strategy: lambda')
    const tag = options.section('tag')
    tag?.knows('key', 'value')
    return {
      kind,
      tag: {
        key: tag?.matching('key', tagKey, `at most 128 ${tagCharacters}`) ?? 'moulin-purge',
        value: tag?.matching('value', tagValue, `at most 256 ${tagCharacters}`) ?? 'expire',
      },
      installLifecycleRule: options.boolean('installLifecycleRule') ?? false,
      lifecycleInterval: options.duration('lifecycleInterval') ?? 15 * 60_000,
      deadline: deadline(options),
    }
  }
  for (const name of ['tag', 'installLifecycleRule', 'lifecycleInterval', 'deadline']) {
    options.excludes(name, 'strategy: tag')
  }
  const functionArn = options.matching(
    'functionArn',
    aFunction,
    'the ARN of a function: arn:aws:lambda:eu-west-1:123456789012:function:name',
  )
  return { kind, functionArn: options.required('functionArn', functionArn) }
}

function deadline(options: Section): number {
  const given = options.duration('deadline') ?? 7 * day
  if (given >= shortestDeadline) return given
  throw new Error(
    'deadline must be at least 2d: the shortest rule has a day, and S3 applies rules once a day',
  )
}

function storageOptions(section: Section | undefined, region: string): S3StorageOptions {
  section?.knows('endpoint', 'pathStyleAccess', 'accessKeyId', 'secretAccessKey', 'sessionToken')
  const accessKeyId = section?.text('accessKeyId')
  const secretAccessKey = section?.text('secretAccessKey')
  if ((accessKeyId === undefined) !== (secretAccessKey === undefined)) {
    throw new Error(
      "storage.accessKeyId and storage.secretAccessKey belong together: give both, or neither for the AWS SDK's own search",
    )
  }
  return {
    type: 's3',
    endpoint: section?.matching('endpoint', aUrl, 'the URL of a host: https://host'),
    region,
    pathStyleAccess: section?.boolean('pathStyleAccess') ?? false,
    accessKeyId,
    secretAccessKey,
    sessionToken: section?.text('sessionToken'),
    checksums: 'when_required',
  }
}
