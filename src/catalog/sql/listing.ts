/** Listings in pages by key: the next page begins after the last name, however many come and go meanwhile. */

import { namespaceLevels, namespacePath } from '../../database/namespace-path.ts'
import { badRequest } from '../../iceberg/errors.ts'
import type { Identifier, Namespace } from '../../iceberg/identifier.ts'
import type { Page, PageRequest } from '../catalog.ts'
import type { CatalogContext } from './context.ts'
import { requireNamespace } from './entries.ts'
import type { Kind } from './kinds.ts'

/** Largest page. */
const maxPageSize = 1000

/** Direct children of a namespace, or the top-level namespaces, by name. Throws NoSuchNamespaceException. */
export async function listNamespaces(
  context: CatalogContext,
  parent: Namespace | undefined,
  page: PageRequest,
): Promise<Page<Namespace>> {
  const { reader } = context.database
  const list = `namespaces ${parent ? namespacePath(parent) : ''}`
  const { after, limit } = readPage(page, list)
  const parentId = parent && (await requireNamespace(reader, context.warehouse, parent)).id
  const rows = await reader
    .selectFrom('namespaces')
    .select('path')
    .where('warehouse', '=', context.warehouse)
    .where('parent_id', parentId === undefined ? 'is' : '=', parentId ?? null)
    .$if(after !== undefined, (query) => query.where('path', '>', after!))
    .orderBy('path')
    .$if(limit !== undefined, (query) => query.limit(limit! + 1))
    .execute()
  const paths = rows.map(({ path }) => path)
  return writePage(paths, limit, list, namespaceLevels)
}

/** Tables, or views, of a namespace, by name. Throws NoSuchNamespaceException. */
export async function listEntries(
  context: CatalogContext,
  kind: Kind<unknown>,
  namespace: Namespace,
  page: PageRequest,
): Promise<Page<Identifier>> {
  const { reader } = context.database
  const list = `${kind.kind}s ${namespacePath(namespace)}`
  const { after, limit } = readPage(page, list)
  const { id } = await requireNamespace(reader, context.warehouse, namespace)
  const rows = await reader
    .selectFrom('entries')
    .select('name')
    .where('namespace_id', '=', id)
    .where('kind', '=', kind.kind)
    .$if(after !== undefined, (query) => query.where('name', '>', after!))
    .orderBy('name')
    .$if(limit !== undefined, (query) => query.limit(limit! + 1))
    .execute()
  const names = rows.map(({ name }) => name)
  return writePage(names, limit, list, (name) => ({ namespace, name }))
}

function readPage({ token, size }: PageRequest, list: string) {
  if (size !== undefined && !(Number.isInteger(size) && size >= 1 && size <= maxPageSize)) {
    throw badRequest(`Invalid page size: ${size}. It is a whole number from 1 to ${maxPageSize}.`)
  }
  return { after: token === undefined ? undefined : readToken(token, list), limit: size }
}

function writePage<T>(
  keys: readonly string[],
  limit: number | undefined,
  list: string,
  item: (key: string) => T,
): Page<T> {
  if (limit === undefined || keys.length <= limit) return { items: keys.map(item), next: undefined }
  const shown = keys.slice(0, limit)
  return { items: shown.map(item), next: writeToken(shown.at(-1)!, list) }
}

/** A token holds the name after which to go on, and the listing that it belongs to. */
function writeToken(after: string, list: string): string {
  return Buffer.from(JSON.stringify([list, after])).toString('base64url')
}

function readToken(token: string, list: string): string {
  const bytes = Buffer.from(token, 'base64url')
  if (bytes.toString('base64url') === token) {
    try {
      const content: unknown = JSON.parse(bytes.toString())
      if (Array.isArray(content) && content.length === 2 && content[0] === list) {
        const [, after] = content
        if (typeof after === 'string' && after.isWellFormed() && !after.includes('\0')) return after
      }
    } catch (error) {
      throw badRequest('Invalid page token: send the one of the previous page, unchanged.', error)
    }
  }
  throw badRequest('Invalid page token: send the one of the previous page of this listing, unchanged.')
}
