// biome-ignore-all lint/suspicious/noTemplateCurlyInString: `${env:NAME}` is how the file refers to the environment
/**
 * The configuration file, defined once: a JSON Schema. From it come the checks and defaults (`check.ts`), the types
 * ({@link Checked}), `schema/config.schema.json` for editors, and docs/reference/configuration.md.
 *
 * Three annotations are ours: `x-unit` (text such as "30s" or "64MiB" that becomes milliseconds or bytes), `x-minimum`
 * (the shortest duration) and `x-names` (what the keys of a mapping are called). `writeOnly`, JSON Schema's own word, marks
 * secrets.
 */

/** Schema keywords that the definition uses. */
export interface Definition {
  readonly type?: 'object' | 'array' | 'string' | 'integer' | 'boolean' | readonly ['integer', 'string']
  readonly description?: string
  readonly default?: unknown
  readonly examples?: readonly unknown[]
  readonly properties?: Readonly<Record<string, Definition>>
  readonly required?: readonly string[]
  readonly additionalProperties?: boolean | Definition
  readonly propertyNames?: { readonly pattern: string }
  readonly minProperties?: number
  readonly items?: Definition
  readonly enum?: readonly string[]
  readonly const?: string
  readonly oneOf?: readonly Definition[]
  readonly pattern?: string
  readonly minLength?: number
  readonly minimum?: number
  readonly maximum?: number
  readonly writeOnly?: boolean
  readonly 'x-unit'?: 'duration' | 'size'
  readonly 'x-minimum'?: string
  readonly 'x-names'?: string
}

/** What a value is once checked: defaults filled in, durations in milliseconds, sizes in bytes. */
export type Checked<D> = D extends { oneOf: readonly (infer Branch)[] }
  ? Checked<Branch>
  : D extends { properties: infer P; required?: infer R }
    ? { readonly [K in keyof P]: Checked<P[K]> | (IsPresent<K, P[K], R> extends true ? never : undefined) }
    : D extends { additionalProperties: infer A extends object }
      ? Readonly<Record<string, Checked<A>>>
      : D extends { type: 'object' }
        ? Readonly<Record<string, unknown>>
        : D extends { items: infer I }
          ? readonly Checked<I>[]
          : D extends { 'x-unit': string } | { type: 'integer' }
            ? number
            : D extends { type: 'boolean' }
              ? boolean
              : D extends { const: infer C }
                ? C
                : D extends { enum: readonly (infer E)[] }
                  ? E
                  : string

/** A key has a value when it has a default, is required, or is a section, which has defaults inside. */
type IsPresent<K, D, Required> = D extends { default: unknown } | { properties: object }
  ? true
  : K extends (Required extends readonly (infer Name)[] ? Name : never)
    ? true
    : false

const duration = {
  type: 'string',
  pattern: '^\\d+(\\.\\d+)?(ms|s|m|h|d)$',
  'x-unit': 'duration',
} as const

const size = {
  type: ['integer', 'string'],
  minimum: 1,
  pattern: '^\\d+(\\.\\d+)?(B|KiB|MiB|GiB|kB|MB|GB)$',
  'x-unit': 'size',
} as const

const purger = {
  type: 'string',
  minLength: 1,
  description:
    'How the files of dropped tables get erased: the alias of a built-in purger (`jdbc-async` is another name of `sql-async`), or a module: a package, or a path relative to this file.',
  examples: ['synchronous', 'sql-async', '@acme/moulin-batch', './purger.js'],
} as const

const purgerOptions = {
  type: 'object',
  additionalProperties: true,
  description: 'Options of the purger; see its own documentation.',
} as const

const sinkOptions = {
  type: 'object',
  additionalProperties: true,
  description: 'Options of the sink; see docs/reference/events.md.',
} as const

const routes = {
  type: 'array',
  items: {
    type: 'object',
    additionalProperties: false,
    required: ['when', 'purger'],
    properties: {
      when: {
        type: 'object',
        additionalProperties: false,
        minProperties: 1,
        description: 'All of these must hold.',
        properties: {
          minFiles: {
            type: 'integer',
            minimum: 1,
            description: "Files that the table's manifests name, at least.",
          },
          property: { type: 'string', minLength: 1, description: 'A table property that must be there.' },
          value: { type: 'string', description: 'Its value. Any without it.' },
        },
      },
      purger,
      options: purgerOptions,
    },
  },
  description:
    'Other purgers for some of the tables: the first whose conditions in `when` all hold. It is decided when the work on a purge begins, and recorded.',
} as const

const purgedViews = {
  type: 'boolean',
  description: 'Whether dropping a view erases its metadata files. Iceberg clients cannot ask for it.',
} as const

/** Keys of a purge that each warehouse may set for itself, with the defaults that hold otherwise. */
const terms = {
  deleteConcurrency: {
    type: 'integer',
    minimum: 1,
    maximum: 256,
    description:
      'Batches of one purge in flight, at most. The store is asked for fewer when it says that it is too much.',
  },
  leaseTimeout: {
    ...duration,
    'x-minimum': '1s',
    description:
      'After this time without a sign of life, another server takes up a purge. Signs are given every third of it, and at least every second. At least `1s`.',
  },
  maxAttempts: {
    type: 'integer',
    minimum: 1,
    maximum: 1000,
    description: 'Attempts in a row that erase nothing before a purge is failed.',
  },
  backoffBase: {
    ...duration,
    description:
      'How long a purge waits after an attempt that got nothing erased: a random time up to this × 2^n after the n-th in a row, so this long in the middle after the first.',
  },
  backoffMax: {
    ...duration,
    description: 'Longest wait between two attempts; not shorter than `backoffBase`.',
  },
  priority: {
    type: 'integer',
    minimum: -100,
    maximum: 100,
    description:
      'Higher goes first, whichever the warehouse: while a purge of a higher priority is due, none of a lower one begins. Warehouses of the same priority take turns. Recorded at the drop.',
  },
  completedRetention: {
    ...duration,
    description:
      'How long purges that have succeeded, or were cancelled, stay in the ledger. Failed ones stay until they are dealt with, certificates for ever.',
  },
  retention: {
    ...duration,
    description: 'How long a drop with purge can be undone before anything is erased. `0s`: not at all.',
  },
  sweep: {
    enum: ['owned', 'all', 'report'],
    description:
      "What is erased of the files that lie at a purged table's location and that it does not name: `owned`, those at locations that the catalog assigned; `all`, at those that a user chose, too; `report`, none. What is left is in the certificate.",
  },
  versions: {
    enum: ['current', 'all'],
    description:
      'What is erased in a bucket that keeps versions. `current`: deleted files live on as non-current versions, until a lifecycle rule of the bucket removes them; the certificate says so. `all`: every version and delete marker at the locations that `sweep` erases, for good. Needs the permissions s3:ListBucketVersions and s3:DeleteObjectVersion.',
  },
} as const

/** Keys of the workers: in common, and what a warehouse may have of them. */
const engine = {
  workers: { type: 'integer', minimum: 1, maximum: 256 },
  pollInterval: { ...duration, 'x-minimum': '50ms' },
  claimBatch: { type: 'integer', minimum: 1, maximum: 1000 },
} as const

const localStorage = {
  type: 'object',
  description: 'Folders of this machine, or mounted on it.',
  additionalProperties: false,
  required: ['type'],
  properties: {
    type: { const: 'local' },
    allowedLocations: {
      type: 'array',
      items: { type: 'string', minLength: 1 },
      default: [],
      description:
        "More folders that tables may have files in. Nothing outside of them and of the warehouse's location is read, written or deleted.",
      examples: [['/mnt/old-lake']],
    },
  },
} as const

const s3Storage = {
  type: 'object',
  description: 'Amazon S3, or a store that speaks its protocol.',
  additionalProperties: false,
  required: ['type'],
  properties: {
    type: { const: 's3' },
    endpoint: {
      type: 'string',
      pattern: '^https?://',
      description: 'URL of the store. Without it, Amazon S3 in the region.',
      examples: ['https://minio.example.com:9000'],
    },
    region: { type: 'string', minLength: 1, default: 'us-east-1', description: 'Region of the buckets.' },
    pathStyleAccess: {
      type: 'boolean',
      default: false,
      description:
        'Name the bucket in the path rather than in the host. Most stores other than Amazon need it.',
    },
    accessKeyId: {
      type: 'string',
      minLength: 1,
      writeOnly: true,
      description:
        "Without the two keys, the AWS SDK's own chain is asked: variables, profile, instance role.",
      examples: ['${env:S3_ACCESS_KEY_ID}'],
    },
    secretAccessKey: {
      type: 'string',
      minLength: 1,
      writeOnly: true,
      description: 'Belongs to accessKeyId.',
      examples: ['${env:S3_SECRET_ACCESS_KEY}'],
    },
    sessionToken: {
      type: 'string',
      minLength: 1,
      writeOnly: true,
      description: 'Only with temporary keys.',
    },
    checksums: {
      enum: ['when_required', 'when_supported'],
      default: 'when_required',
      description: '`when_supported` adds CRC checksums to every request, which some stores refuse.',
    },
  },
} as const

const warehouse = {
  type: 'object',
  additionalProperties: false,
  required: ['location'],
  properties: {
    location: {
      type: 'string',
      minLength: 1,
      description:
        'Where new tables get their place: a folder, relative to this file, or `s3://bucket/prefix`. Existing tables stay where they are when it is changed.',
      examples: ['./warehouse', 's3://lake/warehouse'],
    },
    storage: {
      oneOf: [localStorage, s3Storage],
      description: 'How the location is reached. Chosen by the location when absent.',
    },
    catalog: {
      type: 'object',
      additionalProperties: false,
      properties: {
        type: { enum: ['sql'], default: 'sql', description: "`sql`: Moulin's own, in its database." },
      },
      description: 'Who keeps the names.',
    },
    purge: {
      type: 'object',
      additionalProperties: false,
      properties: {
        purger,
        options: purgerOptions,
        routes,
        views: purgedViews,
        ...terms,
        workers: {
          ...engine.workers,
          description:
            "Of the server's workers, so many at a time work on purges of this warehouse, at most.",
        },
        pollInterval: {
          ...engine.pollInterval,
          description:
            'How often a server looks for purges of this warehouse that are due, beside those it is told of. It wakes for the shortest of all warehouses. At least `50ms`.',
        },
        claimBatch: {
          ...engine.claimBatch,
          description:
            'Purges of this warehouse that one transaction claims, at most; never more than the common `claimBatch` with those of others.',
        },
        filesPerSecond: {
          type: 'integer',
          minimum: 1,
          description: 'Files of this warehouse that a server deletes in a second, at most.',
        },
      },
      description: 'What differs from the section `purge`, which holds for all warehouses.',
    },
  },
} as const

export const definition = {
  type: 'object',
  additionalProperties: false,
  properties: {
    server: {
      type: 'object',
      additionalProperties: false,
      description: 'The HTTP server.',
      properties: {
        host: {
          type: 'string',
          minLength: 1,
          default: '127.0.0.1',
          description: 'Address to listen on. Anything but loopback needs `allowInsecure`.',
          examples: ['127.0.0.1', '::1', '0.0.0.0'],
        },
        port: {
          type: 'integer',
          minimum: 0,
          maximum: 65535,
          default: 8181,
          description: 'Port to listen on; 0 lets the system choose.',
        },
        allowInsecure: {
          type: 'boolean',
          default: false,
          description:
            'Serve on an address other than loopback although nobody is authenticated yet: whoever reaches the port can drop and purge every table.',
        },
        maxBodyBytes: { ...size, default: '64MiB', description: 'Largest request body.' },
        shutdownTimeout: {
          ...duration,
          default: '10s',
          description: 'How long requests in flight may take when the server stops.',
        },
        idempotencyKeyLifetime: {
          ...duration,
          default: '30m',
          description: 'How long the answer to a request with an Idempotency-Key is kept for a repetition.',
        },
      },
    },
    database: {
      type: 'object',
      additionalProperties: false,
      description: 'Where the catalog and the ledger of purges live.',
      properties: {
        url: {
          type: 'string',
          pattern: '^(sqlite:|postgres(ql)?://)',
          default: 'sqlite:moulin-data/catalog.db',
          description: '`sqlite:FILE`, relative to this file, or `postgres://user:password@host:5432/name`.',
          examples: [
            'sqlite:/var/lib/moulin/catalog.db',
            'postgres://moulin:${env:DB_PASSWORD}@db:5432/moulin',
          ],
          writeOnly: true,
        },
        poolSize: {
          type: 'integer',
          minimum: 1,
          maximum: 1000,
          default: 16,
          description: 'Connections to PostgreSQL.',
        },
      },
    },
    warehouses: {
      type: 'object',
      minProperties: 1,
      propertyNames: { pattern: '^[A-Za-z0-9][A-Za-z0-9_.-]{0,127}$' },
      additionalProperties: warehouse,
      'x-names': 'warehouse',
      description:
        'The catalogs that are served, by the name under which clients ask for them. Without this section: one, `default`, at `moulin-data/warehouse`.',
    },
    purge: {
      type: 'object',
      additionalProperties: false,
      description:
        'What happens to the files of dropped tables, in every warehouse that does not say otherwise.',
      properties: {
        purger: { ...purger, default: 'sql-async' },
        options: { ...purgerOptions, default: {} },
        routes: { ...routes, default: [] },
        views: { ...purgedViews, default: false },
        workers: {
          ...engine.workers,
          default: 4,
          description:
            'Purges that this server works on at a time, where no `DELETE` waits for them. A warehouse can have fewer of them.',
        },
        pollInterval: {
          ...engine.pollInterval,
          default: '5s',
          description:
            'How often this server looks for purges that are due, beside those it is told of. At least `50ms`.',
        },
        claimBatch: {
          ...engine.claimBatch,
          default: 16,
          description: 'Purges that one transaction claims, at most; never more than there are idle workers.',
        },
        deleteConcurrency: { ...terms.deleteConcurrency, default: 8 },
        leaseTimeout: { ...terms.leaseTimeout, default: '5m' },
        maxAttempts: { ...terms.maxAttempts, default: 5 },
        backoffBase: { ...terms.backoffBase, default: '30s' },
        backoffMax: { ...terms.backoffMax, default: '1h' },
        priority: { ...terms.priority, default: 0 },
        completedRetention: { ...terms.completedRetention, default: '7d' },
        retention: { ...terms.retention, default: '0s' },
        sweep: { ...terms.sweep, default: 'owned' },
        versions: { ...terms.versions, default: 'current' },
        filesPerSecond: {
          type: 'integer',
          minimum: 1,
          description:
            'Files that a server deletes in a second, at most, over all warehouses. Each warehouse can have a limit of its own besides.',
        },
      },
    },
    events: {
      type: 'object',
      additionalProperties: false,
      description: 'What has happened to namespaces, tables, views and purges, told to others.',
      properties: {
        sinks: {
          type: 'array',
          items: {
            type: 'object',
            additionalProperties: false,
            required: ['type'],
            properties: {
              type: { enum: ['kafka'], description: 'The kind of sink.' },
              options: { ...sinkOptions, default: {} },
            },
          },
          description:
            'Where events are sent, at least once. They are recorded from the first start with a sink until a start with an empty list, which forgets those that were not sent. The same for all servers of a database.',
        },
      },
    },
    logging: {
      type: 'object',
      additionalProperties: false,
      description: 'The log, one JSON object a line on standard output.',
      properties: {
        level: {
          enum: ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'],
          default: 'info',
          description: 'The least important lines that are written.',
        },
      },
    },
  },
} as const satisfies Definition

/** The file's content after `check.ts`, before `resolve.ts` has made paths absolute and sections inherit. */
export type CheckedConfig = Checked<typeof definition>
