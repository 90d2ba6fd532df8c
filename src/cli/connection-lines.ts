import type { WarehouseConfig } from '../config/config.ts'
import type { Style } from './style.ts'

const icebergVersion = '1.11.0'

/** What to paste into each engine to reach one warehouse. The guides in docs/guides say more. */
export function connectionLines(
  url: string,
  name: string,
  warehouse: WarehouseConfig,
  style: Style,
): string[] {
  const engines = [
    pyIceberg(url, name),
    spark(url, name, warehouse),
    trino(url, name, warehouse),
    duckDb(url, name),
  ]
  return engines.flatMap(({ engine, lines }) => [style.bold(engine), ...lines.map((line) => `  ${line}`)])
}

function pyIceberg(url: string, name: string) {
  return {
    engine: 'PyIceberg',
    lines: [
      'from pyiceberg.catalog import load_catalog',
      `catalog = load_catalog("moulin", type="rest", uri="${url}", warehouse="${name}")`,
    ],
  }
}

function spark(url: string, name: string, { storage }: WarehouseConfig) {
  const packages = [`org.apache.iceberg:iceberg-spark-runtime-4.0_2.13:${icebergVersion}`]
  const settings = [
    'moulin=org.apache.iceberg.spark.SparkCatalog',
    'moulin.type=rest',
    `moulin.uri=${url}`,
    `moulin.warehouse=${name}`,
  ]
  if (storage.type === 's3') {
    packages.push(`org.apache.iceberg:iceberg-aws-bundle:${icebergVersion}`)
    settings.push('moulin.io-impl=org.apache.iceberg.aws.s3.S3FileIO')
  }
  return {
    engine: 'Spark',
    lines: [
      `spark-sql --packages ${packages.join(',')} \\`,
      '  --conf spark.sql.extensions=org.apache.iceberg.spark.extensions.IcebergSparkSessionExtensions \\',
      ...settings.map(
        (setting, index) =>
          `  --conf spark.sql.catalog.${setting}${index < settings.length - 1 ? ' \\' : ''}`,
      ),
    ],
  }
}

function trino(url: string, name: string, { storage }: WarehouseConfig) {
  const fileSystem =
    storage.type === 's3'
      ? [
          'fs.native-s3.enabled=true',
          `s3.region=${storage.region}`,
          ...(storage.endpoint === undefined ? [] : [`s3.endpoint=${storage.endpoint}`]),
          ...(storage.pathStyleAccess ? ['s3.path-style-access=true'] : []),
        ]
      : ['fs.hadoop.enabled=true']
  return {
    engine: 'Trino (etc/catalog/moulin.properties)',
    lines: [
      'connector.name=iceberg',
      'iceberg.catalog.type=rest',
      `iceberg.rest-catalog.uri=${url}`,
      `iceberg.rest-catalog.warehouse=${name}`,
      ...fileSystem,
    ],
  }
}

function duckDb(url: string, name: string) {
  return {
    engine: 'DuckDB',
    lines: [
      'INSTALL iceberg; LOAD iceberg;',
      `ATTACH '${name}' AS moulin (TYPE iceberg, ENDPOINT '${url}', AUTHORIZATION_TYPE 'none');`,
    ],
  }
}
