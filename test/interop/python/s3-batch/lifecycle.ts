import {
  DeleteObjectCommand,
  GetBucketLifecycleConfigurationCommand,
  GetObjectTaggingCommand,
  type LifecycleRule,
  paginateListObjectsV2,
  type S3Client,
} from '@aws-sdk/client-s3'
import { mapBounded } from '../../../../src/storage/concurrency.ts'

/**
 * Does in a moment what a bucket's lifecycle does once a day: expires the objects that have all the tags, and the prefix, that
 * one of its rules names. Rules without tags are left out.
 *
 * @param prefix only objects below it are looked at. @default all
 */
export async function expireTagged(client: S3Client, bucket: string, prefix = ''): Promise<void> {
  const rules = await tagRules(client, bucket)
  if (rules.length === 0) return
  for await (const { Contents = [] } of paginateListObjectsV2(
    { client },
    { Bucket: bucket, Prefix: prefix },
  )) {
    await mapBounded(Contents, 32, async ({ Key }) => {
      const object = { Bucket: bucket, Key: Key! }
      const has = await tagsOf(client, object)
      const isDoomed = rules.some(
        (rule) =>
          Key!.startsWith(rule.prefix) &&
          rule.tags.every((tag) => has.some(({ Key: key, Value }) => key === tag.Key && Value === tag.Value)),
      )
      if (isDoomed) await client.send(new DeleteObjectCommand(object))
    })
  }
}

async function tagRules(client: S3Client, bucket: string) {
  const Rules = await rulesOf(client, bucket)
  return Rules.filter(({ Status, Expiration }) => Status === 'Enabled' && Expiration)
    .map(({ Filter }) => ({
      prefix: Filter?.And?.Prefix ?? '',
      tags: Filter?.And?.Tags ?? (Filter?.Tag ? [Filter.Tag] : []),
    }))
    .filter(({ tags }) => tags.length > 0)
}

async function rulesOf(client: S3Client, bucket: string): Promise<LifecycleRule[]> {
  try {
    const { Rules = [] } = await client.send(new GetBucketLifecycleConfigurationCommand({ Bucket: bucket }))
    return Rules
  } catch (error) {
    if ((error as Error).name !== 'NoSuchLifecycleConfiguration') throw error
    return []
  }
}

/** None of an object that somebody erases meanwhile. */
async function tagsOf(client: S3Client, object: { readonly Bucket: string; readonly Key: string }) {
  try {
    const { TagSet = [] } = await client.send(new GetObjectTaggingCommand(object))
    return TagSet
  } catch (error) {
    if ((error as Error).name !== 'NoSuchKey') throw error
    return []
  }
}
