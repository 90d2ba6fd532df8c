/** The lifecycle rule of a bucket that expires what the jobs have tagged. */
import type { LifecycleRule } from '@aws-sdk/client-s3'
import type { Connection } from '../../../storage/s3/client.ts'
import { errorCode, fileError, isRefusal } from '../../../storage/s3/errors.ts'
import { PermanentPurgeError } from '../../purger.ts'
import type { TagStrategy } from './options.ts'

const ruleId = 'moulin-purge'
/** Of S3. */
const maxRules = 1_000
const day = 86_400_000

/**
 * Makes sure that a bucket expires the objects that have the tag before the deadline, and nothing more is asked of them. The
 * rule is added when the options say so, beside those that are there. Throws PermanentPurgeError that says what to add or to
 * change, and the storage's errors.
 *
 * @param now milliseconds since the epoch.
 */
export async function requireExpiry(
  connection: Connection,
  bucket: string,
  strategy: TagStrategy,
  now: number,
): Promise<void> {
  const { tag, installLifecycleRule } = strategy
  const { rules, smallObjects } = await configurationOf(connection, bucket)
  const expiring = rules.filter((rule) => expires(rule, tag))
  if (expiring.some((rule) => isInTime(rule, strategy, now))) return
  const wanted: LifecycleRule = {
    ID: ruleId,
    Status: 'Enabled',
    Filter: { Tag: { Key: tag.key, Value: tag.value } },
    Expiration: { Days: 1 },
  }
  const late = installLifecycleRule ? expiring.find(({ ID }) => ID === ruleId) : expiring[0]
  if (late) throw tooLate(bucket, late, strategy)
  if (!installLifecycleRule) {
    throw new PermanentPurgeError(
      `No lifecycle rule of the bucket ${bucket} expires what is tagged ${tag.key}=${tag.value}. Add ${JSON.stringify(wanted)} to its lifecycle configuration, or set installLifecycleRule: true, and retry.`,
    )
  }
  if (rules.some(({ ID }) => ID === ruleId)) {
    throw new PermanentPurgeError(
      `The bucket ${bucket} has a lifecycle rule named ${ruleId} that does not expire what is tagged ${tag.key}=${tag.value}. Make it ${JSON.stringify(wanted)}, and retry.`,
    )
  }
  if (rules.length >= maxRules) {
    throw new PermanentPurgeError(
      `The bucket ${bucket} has ${rules.length} lifecycle rules: no other fits in.`,
    )
  }
  const { sdk, client } = connection
  const command = new sdk.PutBucketLifecycleConfigurationCommand({
    Bucket: bucket,
    LifecycleConfiguration: { Rules: [...rules.map(withFilter), wanted] },
    ...(smallObjects !== undefined && { TransitionDefaultMinimumObjectSize: smallObjects }),
  })
  try {
    await client.send(command)
  } catch (error) {
    if (!isRefusal(error)) throw fileError(`s3://${bucket}`, error)
    throw new PermanentPurgeError(
      `S3 refuses the lifecycle rules of the bucket ${bucket} together with ${JSON.stringify(wanted)}: ${errorCode(error)}: ${(error as Error).message}. Add the rule yourself, and retry.`,
      { cause: error },
    )
  }
}

async function configurationOf({ sdk, client }: Connection, bucket: string) {
  const command = new sdk.GetBucketLifecycleConfigurationCommand({ Bucket: bucket })
  try {
    const { Rules = [], TransitionDefaultMinimumObjectSize: smallObjects } = await client.send(command)
    return { rules: Rules, smallObjects }
  } catch (error) {
    if (errorCode(error) === 'NoSuchLifecycleConfiguration') return { rules: [], smallObjects: undefined }
    throw fileError(`s3://${bucket}`, error)
  }
}

/** Whether the rule expires every object with the tag, whatever its name and size, at some time. */
function expires({ Status, Filter, Expiration }: LifecycleRule, tag: TagStrategy['tag']): boolean {
  if (Status !== 'Enabled' || !(Expiration?.Days || Expiration?.Date) || !Filter) return false
  const { And, Tag } = Filter
  const tags = And ? And.Tags : Tag && [Tag]
  const isLimited = And?.Prefix || And?.ObjectSizeGreaterThan || And?.ObjectSizeLessThan
  if (isLimited || tags?.length !== 1) return false
  return tags[0]!.Key === tag.key && tags[0]!.Value === tag.value
}

/** Whether the rule has expired an object that was written a moment ago when the deadline comes. */
function isInTime({ Expiration }: LifecycleRule, strategy: TagStrategy, now: number): boolean {
  const { Days, Date: date } = Expiration!
  return date ? date.getTime() <= now : Days! <= mostDays(strategy)
}

/** S3 applies rules once a day. */
function mostDays({ deadline }: TagStrategy): number {
  return Math.floor(deadline / day) - 1
}

function tooLate(bucket: string, { ID, Expiration }: LifecycleRule, strategy: TagStrategy): Error {
  const { tag, deadline, installLifecycleRule } = strategy
  const { Days, Date: date } = Expiration!
  const rule = ID ? `lifecycle rule ${ID}` : 'nameless lifecycle rule'
  const when = date ? `not before ${date.toISOString()}` : `after ${Days} days only`
  const remedies = [
    `Have it expire them after ${mostDays(strategy)} days at most ("Days"; S3 applies rules once a day, so that they need a day more)`,
    'raise deadline',
    ...(installLifecycleRule ? [] : ['set installLifecycleRule: true']),
  ]
  return new PermanentPurgeError(
    `The ${rule} of the bucket ${bucket} expires what is tagged ${tag.key}=${tag.value} ${when}: too late for a deadline of ${deadline / day} days. ${remedies.join(', or ')}, and retry.`,
  )
}

/** The same rule in the form that it needs beside one with a tag: S3 takes no configuration of both forms. */
function withFilter({ Prefix, ...rule }: LifecycleRule): LifecycleRule {
  if (Prefix === undefined) return rule
  return rule.Filter ? { ...rule, Prefix } : { ...rule, Filter: { Prefix } }
}
