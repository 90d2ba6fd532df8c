import {
  DeleteObjectCommand,
  GetBucketLifecycleConfigurationCommand,
  GetObjectTaggingCommand,
  paginateListObjectsV2,
  type S3Client,
} from '@aws-sdk/client-s3'
import { mapBounded } from '../../../../src/storage/concurrency.ts'

/**
 * Does in a moment what a bucket's lifecycle does once a day: expires the objects whose tag one of its rules names.
 *
 * @param prefix only objects below it are looked at. @default all
 */
export async function expireTagged(client: S3Client, bucket: string, prefix = ''): Promise<void> {
  const { Rules = [] } = await client.send(new GetBucketLifecycleConfigurationCommand({ Bucket: bucket }))
  const tags = Rules.filter(({ Status, Expiration }) => Status === 'Enabled' && Expiration).flatMap(
    ({ Filter }) => Filter?.Tag ?? [],
  )
  for await (const { Contents = [] } of paginateListObjectsV2(
    { client },
    { Bucket: bucket, Prefix: prefix },
  )) {
    await mapBounded(Contents, 32, async ({ Key }) => {
      const object = { Bucket: bucket, Key: Key! }
      const { TagSet = [] } = await client.send(new GetObjectTaggingCommand(object))
      const isDoomed = tags.some((tag) =>
        TagSet.some(({ Key, Value }) => Key === tag.Key && Value === tag.Value),
      )
      if (isDoomed) await client.send(new DeleteObjectCommand(object))
    })
  }
}
