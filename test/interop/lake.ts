import { join } from 'node:path'
import type { TestStore } from '../../src/testing/stores/fauxqs.ts'

/** The place of a warehouse. */
export interface Lake {
  /** As the configuration of a server has it. */
  readonly warehouse: Readonly<Record<string, unknown>>
  /** As the tests in Python are told. */
  readonly environment: Readonly<Record<string, string>>
}

/** A folder `warehouse` in this one, all of which the server may write to. */
export function localLake(folder: string): Lake {
  const location = join(folder, 'warehouse')
  return {
    warehouse: { location, storage: { type: 'local', allowedLocations: [folder] } },
    environment: { MOULIN_TEST_LOCATION: `file://${location}` },
  }
}

/** A prefix `warehouse` of a new bucket `lake`. */
export async function s3Lake({ storage, createBucket }: TestStore): Promise<Lake> {
  await createBucket('lake')
  const location = 's3://lake/warehouse'
  return {
    warehouse: { location, storage },
    environment: {
      MOULIN_TEST_LOCATION: location,
      MOULIN_TEST_S3_ENDPOINT: storage.endpoint,
      MOULIN_TEST_S3_ACCESS_KEY: storage.accessKeyId!,
      MOULIN_TEST_S3_SECRET_KEY: storage.secretAccessKey!,
    },
  }
}
