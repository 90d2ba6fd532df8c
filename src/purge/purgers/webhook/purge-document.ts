/** What a service is told of a purge. Its schema is `schema/webhook/purge.v1.schema.json`. */
import { placeKey } from '../../../storage/location.ts'
import { doomedData } from '../../elsewhere/erased-elsewhere.ts'
import { ownPlaces } from '../../elsewhere/own-places.ts'
import type { Purge, PurgeRun } from '../../purger.ts'

/** What the service has to erase. */
export interface Work {
  /** Files that the manifests name in the table's own places; one that is named twice counts twice. */
  readonly files: number
  /** Of these files, as far as the manifests say. */
  readonly bytes: number
  /** Places of others inside them. */
  readonly keep: readonly string[]
}

/** Names what was sent: a purge, and how often the service has been told of it because the time before had come to nothing. */
export interface Delivery {
  readonly purge: Purge
  /** 1 for the first. */
  readonly generation: number
}

/**
 * Reads all manifests before any file is erased, so that one that is missing or damaged stops the purge while everything
 * is there. Throws as `doomedData` does.
 */
export async function workOf(purge: Purge, run: PurgeRun): Promise<Work> {
  const keep = await run.enclosed()
  const isServices = ownPlaces(locationsOf(purge), keep)
  let files = 0
  let bytes = 0
  for await (const doomed of doomedData(purge, run)) {
    for (const { path, size = 0 } of doomed) {
      if (!isServices(path)) continue
      files++
      bytes += size
    }
  }
  return { files, bytes, keep }
}

function locationsOf({ locations }: Purge): string[] {
  return locations.map(({ location }) => location)
}

/** The same for every delivery of one generation: a receiver that knows the id need not look at it again. */
export function messageId({ purge, generation }: Delivery, event: 'requested' | 'status' | 'cancel'): string {
  return `purge_${purge.id}_${generation}_${event}`
}

/** The document of `purge.requested`. */
export function requestDocument(delivery: Delivery, work: Work, callbackUrl: string | undefined): object {
  const { purge } = delivery
  return {
    ...headOf('purge.requested', delivery),
    warehouse: purge.warehouse,
    kind: purge.kind,
    namespace: purge.namespace,
    name: purge.name,
    uuid: purge.uuid,
    metadataLocation: purge.metadataLocation,
    requestedAt: new Date(purge.request.requestedAt).toISOString(),
    files: work.files,
    bytes: work.bytes,
    locations: locationsOf(purge).map(placeKey),
    keep: work.keep.map(placeKey),
    callbackUrl,
  }
}

/** The document of `purge.cancel`; without a reference where the service may not have got, or answered, the order itself. */
export function cancelDocument(delivery: Delivery, reference: string | undefined): object {
  return { ...headOf('purge.cancel', delivery), reference }
}

function headOf(event: string, { purge, generation }: Delivery): object {
  return { version: 1, event, id: purge.id, generation }
}
