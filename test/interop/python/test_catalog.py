"""What PyIceberg users do, from create to drop."""

import threading
import uuid

import pytest
from conftest import content, open_catalog, rows
from pyiceberg.exceptions import (
    CommitFailedException,
    NamespaceAlreadyExistsError,
    NamespaceNotEmptyError,
    NoSuchNamespaceError,
    NoSuchTableError,
    TableAlreadyExistsError,
)
from pyiceberg.partitioning import PartitionField, PartitionSpec
from pyiceberg.schema import Schema
from pyiceberg.transforms import IdentityTransform, TruncateTransform
from pyiceberg.types import DoubleType, LongType, NestedField, StringType
from pyiceberg.view.metadata import SQLViewRepresentation, ViewRepresentation, ViewVersion

SCHEMA = Schema(
    NestedField(1, "id", LongType(), required=True),
    NestedField(2, "city", StringType(), required=False),
    identifier_field_ids=[1],
)
A, B, C, D = (1, "Ahmedabad"), (2, "Bern"), (3, "Cork"), (4, "Dakar")


@pytest.fixture
def table(catalog, namespace):
    return catalog.create_table(f"{namespace}.cities", schema=SCHEMA)


def test_namespaces(catalog):
    name = "n_" + uuid.uuid4().hex[:8]
    catalog.create_namespace(name, {"owner": "tests"})
    with pytest.raises(NamespaceAlreadyExistsError):
        catalog.create_namespace(name)
    assert catalog.load_namespace_properties(name)["owner"] == "tests"
    catalog.update_namespace_properties(name, removals={"owner"}, updates={"team": "data"})
    assert catalog.load_namespace_properties(name) == {"team": "data"}
    catalog.create_namespace((name, "größe"))
    assert catalog.list_namespaces(name) == [(name, "größe")]
    with pytest.raises(NamespaceNotEmptyError):
        catalog.drop_namespace(name)
    catalog.drop_namespace((name, "größe"))
    catalog.drop_namespace(name)
    with pytest.raises(NoSuchNamespaceError):
        catalog.load_namespace_properties(name)


def test_create_append_overwrite_delete(catalog, table):
    table.append(rows(A, B))
    table.append(rows(C))
    assert content(table) == [A, B, C]
    table.overwrite(rows(D), overwrite_filter="id == 2")
    assert content(table) == [A, C, D]
    table.delete("city == 'Cork'")
    assert content(table) == [A, D]
    assert content(catalog.load_table(table.name())) == [A, D]
    assert len(table.snapshots()) >= 4


def test_upsert(table):
    table.append(rows(A, B))
    result = table.upsert(rows((2, "Basel"), C))
    assert (result.rows_updated, result.rows_inserted) == (1, 1)
    assert content(table) == [A, (2, "Basel"), C]


def test_schema_evolution(catalog, table):
    table.append(rows(A))
    with table.update_schema() as update:
        update.add_column("height", DoubleType(), doc="metres")
        update.rename_column("city", "town")
    loaded = catalog.load_table(table.name())
    assert [field.name for field in loaded.schema().fields] == ["id", "town", "height"]
    assert loaded.scan().to_arrow().to_pylist() == [{"id": 1, "town": "Ahmedabad", "height": None}]


def test_partition_evolution(catalog, namespace):
    spec = PartitionSpec(PartitionField(source_id=2, field_id=1000, transform=IdentityTransform(), name="city"))
    table = catalog.create_table(f"{namespace}.parts", schema=SCHEMA, partition_spec=spec)
    table.append(rows(A, B))
    with table.update_spec() as update:
        update.add_field("id", TruncateTransform(10), "id_trunc")
    table.append(rows(C))
    assert content(table) == [A, B, C]
    assert len(catalog.load_table(table.name()).specs()) == 2


def test_branches_and_tags(catalog, table):
    table.append(rows(A))
    first = table.current_snapshot().snapshot_id
    table.append(rows(B))
    with table.manage_snapshots() as manage:
        manage.create_branch(first, "audit").create_tag(first, "start")
    table.append(rows(C), branch="audit")
    assert content(table) == [A, B]
    loaded = catalog.load_table(table.name())
    branch = loaded.refs()["audit"].snapshot_id
    assert content(loaded, snapshot_id=branch) == [A, C]
    assert loaded.refs()["start"].snapshot_id == first
    with table.manage_snapshots() as manage:
        manage.remove_branch("audit")
    assert "audit" not in catalog.load_table(table.name()).refs()


def test_rename(catalog, namespace, table):
    table.append(rows(A))
    catalog.rename_table(table.name(), f"{namespace}.towns")
    assert content(catalog.load_table(f"{namespace}.towns")) == [A]
    with pytest.raises(NoSuchTableError):
        catalog.load_table(table.name())
    catalog.create_table(table.name(), schema=SCHEMA)
    with pytest.raises(TableAlreadyExistsError):
        catalog.rename_table(f"{namespace}.towns", table.name())
    assert sorted(catalog.list_tables(namespace)) == [(namespace, "cities"), (namespace, "towns")]


def test_transaction_of_one_table(catalog, table):
    with table.transaction() as transaction:
        transaction.set_properties(owner="tests")
        transaction.append(rows(A))
        transaction.append(rows(B))
    loaded = catalog.load_table(table.name())
    assert content(loaded) == [A, B]
    assert loaded.properties["owner"] == "tests"


def test_create_table_transaction(catalog, namespace):
    with catalog.create_table_transaction(f"{namespace}.staged", schema=SCHEMA) as transaction:
        assert not catalog.table_exists(f"{namespace}.staged")
        transaction.append(rows(A))
    assert content(catalog.load_table(f"{namespace}.staged")) == [A]


def test_register(catalog, namespace, table):
    table.append(rows(A))
    metadata = catalog.load_table(table.name()).metadata_location
    catalog.drop_table(table.name())
    assert content(catalog.register_table(f"{namespace}.again", metadata)) == [A]


@pytest.mark.parametrize("version", ["1", "2", "3"])
def test_format_versions(catalog, namespace, version):
    table = catalog.create_table(f"{namespace}.v{version}", schema=SCHEMA, properties={"format-version": version})
    assert table.format_version == int(version)
    if version != "3":
        table.append(rows(A))
        assert content(catalog.load_table(table.name())) == [A]


def test_upgrade_and_properties(catalog, namespace):
    table = catalog.create_table(f"{namespace}.old", schema=SCHEMA, properties={"format-version": "1"})
    with table.transaction() as transaction:
        transaction.upgrade_table_version(2)
        transaction.set_properties({"a": "1", "b": "2"})
        transaction.remove_properties("a")
    loaded = catalog.load_table(table.name())
    assert loaded.format_version == 2
    assert loaded.properties["b"] == "2" and "a" not in loaded.properties


def test_views(catalog, namespace):
    query = SQLViewRepresentation(type="sql", sql="SELECT 1 AS id", dialect="spark")
    version = ViewVersion(schema_id=0, representations=[ViewRepresentation(query)], default_namespace=(namespace,))
    schema = Schema(NestedField(1, "id", LongType(), required=False))
    view = catalog.create_view(f"{namespace}.one", schema, version, properties={"comment": "one"})
    assert view.properties["comment"] == "one"
    assert catalog.view_exists(f"{namespace}.one")
    assert catalog.list_views(namespace) == [(namespace, "one")]
    with pytest.raises(TableAlreadyExistsError):
        catalog.create_table(f"{namespace}.one", schema=SCHEMA)
    catalog.drop_view(f"{namespace}.one")
    assert not catalog.view_exists(f"{namespace}.one")


def test_drop(catalog, store, table):
    table.append(rows(A))
    before = store.listing(table.location())
    catalog.drop_table(table.name())
    assert not catalog.table_exists(table.name())
    assert store.listing(table.location()) == before


def test_eight_concurrent_writers(catalog, table):
    writers, appends = 8, 4
    failures = []

    def write(writer):
        mine = open_catalog()
        for number in range(appends):
            for attempt in range(200):
                try:
                    mine.load_table(table.name()).append(rows((writer * 100 + number, f"w{writer}")))
                    break
                except CommitFailedException:
                    continue
                except Exception as error:
                    failures.append(error)
                    return
            else:
                failures.append(f"writer {writer} gave up")

    threads = [threading.Thread(target=write, args=(writer,)) for writer in range(writers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    expected = sorted((w * 100 + n, f"w{w}") for w in range(writers) for n in range(appends))
    assert content(catalog.load_table(table.name())) == expected
