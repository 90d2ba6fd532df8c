"""What Spark users do, then purges over REST, checked by listing the disk.

Environment: MOULIN_TEST_URI, MOULIN_TEST_JARS, MOULIN_TEST_LOCATION (of the warehouse); for S3 MOULIN_TEST_S3_ENDPOINT of
a store that checks no signatures.
"""

import hashlib
import json
import os
import time
import urllib.parse
import urllib.request
import xml.etree.ElementTree as xml
from pathlib import Path

from pyspark.sql import SparkSession

URI = os.environ["MOULIN_TEST_URI"]
LOCATION = os.environ["MOULIN_TEST_LOCATION"]
ENDPOINT = os.environ.get("MOULIN_TEST_S3_ENDPOINT")

builder = (
    SparkSession.builder.master("local[2]")
    .config("spark.jars", os.environ["MOULIN_TEST_JARS"])
    .config("spark.ui.enabled", "false")
    .config("spark.driver.bindAddress", "127.0.0.1")
    .config("spark.driver.host", "127.0.0.1")
    .config("spark.sql.shuffle.partitions", "2")
    .config("spark.sql.extensions", "org.apache.iceberg.spark.extensions.IcebergSparkSessionExtensions")
    .config("spark.sql.catalog.moulin", "org.apache.iceberg.spark.SparkCatalog")
    .config("spark.sql.catalog.moulin.type", "rest")
    .config("spark.sql.catalog.moulin.uri", URI)
    .config("spark.sql.catalog.moulin.warehouse", "main")
    .config("spark.sql.defaultCatalog", "moulin")
)
if ENDPOINT:
    builder = builder.config("spark.sql.catalog.moulin.io-impl", "org.apache.iceberg.aws.s3.S3FileIO")
spark = builder.getOrCreate()
spark.sparkContext.setLogLevel("ERROR")


def sql(text):
    return [tuple(row) for row in spark.sql(text).collect()]


def equal(found, expected, what):
    assert found == expected, f"{what}: {found} is not {expected}"
    print(f"ok  {what}", flush=True)


def listing():
    """Path to a hash of the content of every file in the warehouse, found without Iceberg and without Moulin."""
    if ENDPOINT:
        return {key: hashlib.sha256(http("GET", f"{ENDPOINT}/{urllib.parse.quote(key)}")).hexdigest() for key in s3_keys()}
    files = [path for path in Path(path_of(LOCATION)).rglob("*") if path.is_file()]
    return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def s3_keys():
    bucket, _, prefix = path_of(LOCATION).partition("/")
    keys, token = [], ""
    while True:
        query = urllib.parse.urlencode({"list-type": "2", "prefix": prefix, **({"continuation-token": token} if token else {})})
        page = xml.fromstring(http("GET", f"{ENDPOINT}/{bucket}?{query}"))
        keys += [f"{bucket}/{element.text}" for element in page.iter() if element.tag.endswith("}Key")]
        token = next((e.text for e in page.iter() if e.tag.endswith("}NextContinuationToken")), "")
        if not token:
            return keys


def path_of(location):
    for scheme in ("s3://", "file://", "file:"):
        location = location.removeprefix(scheme)
    return location


def http(method, url):
    with urllib.request.urlopen(urllib.request.Request(url, method=method)) as answer:
        return answer.read()


def reachable(table):
    """Every file that Iceberg's own metadata tables name, entries of every status included."""
    names = {row[0] for row in sql(f"SELECT file FROM moulin.{table}.metadata_log_entries")}
    names |= {row[0] for row in sql(f"SELECT path FROM moulin.{table}.all_manifests")}
    names |= {row[0] for row in sql(f"SELECT data_file.file_path FROM moulin.{table}.all_entries")}
    names |= {row[0] for row in sql(f"SELECT manifest_list FROM moulin.{table}.snapshots")}
    metadata = json.loads(request("GET", table))["metadata"]
    names |= {file["statistics-path"] for file in metadata["statistics"] + metadata["partition-statistics"]}
    return {path_of(name) for name in names} & listing().keys()


def request(method, table, query=""):
    namespace, name = table.split(".")
    return http(method, f"{URI}/v1/main/namespaces/{namespace}/tables/{name}{query}")


def wait_for_purges():
    """Until the workers have nothing left to do."""
    for _ in range(600):
        purges = json.loads(http("GET", f"{URI}/management/v1/purges"))["purges"]
        if all(purge["state"] not in ("pending", "running") for purge in purges):
            return
        time.sleep(0.1)
    raise AssertionError(f"purges do not end: {purges}")


def purge(table):
    reach = reachable(table)
    # Hadoop's checksum files go with the files they belong to.
    before = listing()
    reach |= {path for path in (str(Path(p).parent / f".{Path(p).name}.crc") for p in reach) if path in before}
    # What else lies where only this table may be is swept.
    own = path_of(json.loads(request("GET", table))["metadata"]["location"])
    reach |= {path for path in before if path.startswith(own + "/")}
    assert reach and reach <= before.keys(), f"{table}: {reach - before.keys()}"
    request("DELETE", table, "?purgeRequested=true")
    wait_for_purges()
    after = listing()
    equal(before.keys() - after.keys(), reach, f"purge of {table} erases its {len(reach)} files, no other")
    equal({path: before[path] for path in after}, after, f"purge of {table} leaves every other file as it was")


def fill(table, properties):
    sql(f"CREATE TABLE {table} (id BIGINT NOT NULL, city STRING, day DATE) USING iceberg "
        f"PARTITIONED BY (days(day)) TBLPROPERTIES ({properties})")
    for start in (0, 100, 200):
        sql(f"INSERT INTO {table} SELECT id, concat('c', id % 5), date_add(DATE'2026-01-01', int(id % 3)) FROM range({start}, {start + 50})")
    sql(f"DELETE FROM {table} WHERE id = 7")
    sql(f"UPDATE {table} SET city = 'moved' WHERE id = 8")


sql("CREATE NAMESPACE db")
for version in (1, 2, 3):
    mode = "copy-on-write" if version == 1 else "merge-on-read"
    modes = ", ".join(f"'write.{what}.mode'='{mode}'" for what in ("delete", "update", "merge"))
    fill(f"db.v{version}", f"'format-version'='{version}', {modes}")
    equal(sql(f"SELECT count(*) FROM db.v{version}"), [(149,)], f"v{version}: rows after insert, delete, update")
    fill(f"db.v{version}_neighbour", f"'format-version'='{version}', {modes}")

equal(sql("SELECT count(*) > 0 FROM db.v3.delete_files WHERE file_format = 'PUFFIN'"), [(True,)], "v3: deletion vectors")
sql("CREATE TABLE db.ctas USING iceberg AS SELECT * FROM db.v2 WHERE id < 50")
equal(sql("SELECT count(*) FROM db.ctas"), [(49,)], "CTAS")
sql("CREATE OR REPLACE TABLE db.ctas USING iceberg AS SELECT * FROM db.v2 WHERE id < 20")
equal(sql("SELECT count(*) FROM db.ctas"), [(19,)], "CREATE OR REPLACE")
for mode in ("copy-on-write", "merge-on-read"):
    sql(f"ALTER TABLE db.v2 SET TBLPROPERTIES ('write.merge.mode'='{mode}')")
    sql(
        "MERGE INTO db.v2 t USING (SELECT CAST(9 AS BIGINT) AS id, 'merged' AS city, DATE'2026-01-01' AS day) s "
        "ON t.id = s.id WHEN MATCHED THEN UPDATE SET city = s.city WHEN NOT MATCHED THEN INSERT *"
    )
    equal(sql("SELECT city FROM db.v2 WHERE id = 9"), [("merged",)], f"MERGE, {mode}")
sql("ALTER TABLE db.v2 ADD COLUMN note STRING")
sql("ALTER TABLE db.v2 ADD PARTITION FIELD bucket(4, id)")
sql("INSERT INTO db.v2 VALUES (900, 'x', DATE'2026-02-01', 'noted')")
equal(sql("SELECT note FROM db.v2 WHERE id = 900"), [("noted",)], "schema and partition evolution")
sql("ALTER TABLE db.v2 CREATE BRANCH audit")
sql("ALTER TABLE db.v2 CREATE TAG start")
sql("INSERT INTO db.v2.branch_audit VALUES (901, 'y', DATE'2026-02-01', 'branch')")
equal(sql("SELECT count(*) FROM db.v2 VERSION AS OF 'audit' WHERE id = 901"), [(1,)], "branch")

sql("CALL moulin.system.rewrite_data_files(table => 'db.v2', options => map('rewrite-all', 'true'))")
sql("CALL moulin.system.rewrite_manifests('db.v2')")
sql("CALL moulin.system.compute_table_stats(table => 'db.v2')")
sql("CALL moulin.system.expire_snapshots(table => 'db.v1', older_than => TIMESTAMP '2100-01-01 00:00:00', retain_last => 1)")
equal(sql("SELECT count(*) FROM db.v1.snapshots"), [(1,)], "expire_snapshots")
equal(sql("SELECT count(*) FROM db.v1"), [(149,)], "rows after expiry")

sql("ALTER TABLE db.ctas RENAME TO db.renamed")
equal(sql("SELECT count(*) FROM db.renamed"), [(19,)], "rename")
sql("CREATE VIEW db.w AS SELECT id FROM db.renamed WHERE id < 5")
equal(sql("SELECT count(*) FROM db.w"), [(5,)], "view")
sql("CREATE OR REPLACE VIEW db.w AS SELECT id FROM db.renamed WHERE id < 3")
equal(sql("SELECT count(*) FROM db.w"), [(3,)], "replaced view")
sql("DROP VIEW db.w")

for table in ("db.v1", "db.v2", "db.v3"):
    purge(table)
    equal(sql(f"SELECT count(*) FROM {table}_neighbour"), [(149,)], f"{table}_neighbour is whole")

before = listing()
sql("DROP TABLE db.renamed")
equal(listing(), before, "DROP TABLE leaves the files")
fill("db.gone", "'format-version'='2'")
sql("DROP TABLE db.gone PURGE")
left = [path for path in listing() if "/gone-" in path and path.endswith(".parquet")]
equal(left, [], "DROP TABLE PURGE (by Spark itself) erases the data")
for version in (1, 2, 3):
    purge(f"db.v{version}_neighbour")
print("all done", flush=True)
