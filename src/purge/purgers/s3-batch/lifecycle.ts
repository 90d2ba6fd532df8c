/** The lifecycle rule of a bucket that expires what the jobs have tagged. */
import type { LifecycleRule } from '@aws-sdk/client-s3'
import type { Connection } from '../../../storage/s3/client.ts'
import { errorCode, fileError } from '../../../storage/s3/errors.ts'
import { PermanentPurgeError } from '../../purger.ts'
import type { TagStrategy } from './options.ts'

const ruleId = 'moulin-purge'
/** Of S3. */
const maxRules = 1_000

/**
 * Makes sure that a bucket expires the objects that have the tag, and nothing more is asked of them. The rule is added when the
 * options say so, beside those that are there. Throws PermanentPurgeError that says what to add, and the storage's errors.
 */
export async function requireExpiry(
  connection: Connection,
  bucket: string,
  { tag, installLifecycleRule }: TagStrategy,
): Promise<void> {
  const { rules, smallObjects } = await configurationOf(connection, bucket)
  if (rules.some((rule) => expires(rule, tag))) return
  const wanted: LifecycleRule = {
    ID: ruleId,
    Status: 'Enabled',
    Filter: { Tag: { Key: tag.key, Value: tag.value } },
    Expiration: { Days: 1 },
  }
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
    LifecycleConfiguration: { Rules: [...rules, wanted] },
    ...(smallObjects !== undefined && { TransitionDefaultMinimumObjectSize: smallObjects }),
  })
  try {
    await client.send(command)
  } catch (error) {
    throw fileError(`s3://${bucket}`, error)
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

/** Whether the rule expires every object with the tag, whatever its name and size. */
function expires({ Status, Filter, Expiration }: LifecycleRule, tag: TagStrategy['tag']): boolean {
  if (Status !== 'Enabled' || !(Expiration?.Days || Expiration?.Date) || !Filter) return false
  const { And, Tag } = Filter
  const tags = And ? And.Tags : Tag && [Tag]
  const isLimited = And?.Prefix || And?.ObjectSizeGreaterThan || And?.ObjectSizeLessThan
  if (isLimited || tags?.length !== 1) return false
  return tags[0]!.Key === tag.key && tags[0]!.Value === tag.value
}
