"""A catalog and an independent look at the store, as the environment describes them."""

import json
import os
import time
import urllib.request
import uuid

import pyarrow as pa
import pytest
from pyarrow import fs
from pyiceberg.catalog import load_catalog

pytest.register_assert_rewrite("endings")

LOCATION = os.environ["MOULIN_TEST_LOCATION"]
S3 = {
    key: value
    for key, value in {
        "s3.endpoint": os.environ.get("MOULIN_TEST_S3_ENDPOINT"),
        "s3.access-key-id": os.environ.get("MOULIN_TEST_S3_ACCESS_KEY"),
        "s3.secret-access-key": os.environ.get("MOULIN_TEST_S3_SECRET_KEY"),
        "s3.region": "us-east-1",
    }.items()
    if value and LOCATION.startswith("s3://")
}


def open_catalog():
    return load_catalog("moulin", type="rest", uri=os.environ["MOULIN_TEST_URI"], warehouse="main", **S3)


@pytest.fixture(scope="session")
def catalog():
    return open_catalog()


@pytest.fixture
def namespace(catalog):
    name = "ns_" + uuid.uuid4().hex[:12]
    catalog.create_namespace(name)
    return name


class Store:
    """Lists and reads the warehouse without Moulin and without Iceberg."""

    def __init__(self):
        if LOCATION.startswith("s3://"):
            self.files = fs.S3FileSystem(
                access_key=S3["s3.access-key-id"],
                secret_key=S3["s3.secret-access-key"],
                endpoint_override=S3["s3.endpoint"],
                region="us-east-1",
            )
        else:
            self.files = fs.LocalFileSystem()

    @staticmethod
    def path(location):
        return location.removeprefix("s3://").removeprefix("file://")

    def listing(self, location=LOCATION):
        """Path to size and content of every file below a location."""
        selector = fs.FileSelector(self.path(location), recursive=True, allow_not_found=True)
        found = [info.path for info in self.files.get_file_info(selector) if info.is_file]
        return {path: self.read(path) for path in found}

    def read(self, path):
        with self.files.open_input_stream(path, compression=None) as stream:
            return stream.read()

    def write(self, location, content):
        path = self.path(location)
        if not LOCATION.startswith("s3://"):
            self.files.create_dir(os.path.dirname(path), recursive=True)
        with self.files.open_output_stream(path) as stream:
            stream.write(content)


@pytest.fixture(scope="session")
def store():
    return Store()


def rows(*pairs):
    """Rows of (id, city)."""
    return pa.table(
        {
            "id": pa.array([pair[0] for pair in pairs], pa.int64()),
            "city": pa.array([pair[1] for pair in pairs], pa.string()),
        },
        schema=pa.schema([pa.field("id", pa.int64(), nullable=False), pa.field("city", pa.string())]),
    )


def content(table, **options):
    return sorted((row["id"], row["city"]) for row in table.scan(**options).to_arrow().to_pylist())


def management(path):
    """What the server's own API answers."""
    with urllib.request.urlopen(f"{os.environ['MOULIN_TEST_URI']}/management/v1/{path}") as answer:
        return json.load(answer)


def purge(catalog, table):
    """Drops with purge, waits until the purge of this table is over, however it ends, and gives it."""
    catalog.purge_table(table.name())
    deadline = time.monotonic() + 60
    while True:
        purges = management("purges")["purges"]
        mine = [purge for purge in purges if purge["uuid"] == str(table.metadata.table_uuid)]
        if mine and all(purge["state"] not in ("pending", "running", "handed_off") for purge in mine):
            assert len(mine) == 1, mine
            return mine[0]
        assert time.monotonic() < deadline, mine
        time.sleep(0.05)
