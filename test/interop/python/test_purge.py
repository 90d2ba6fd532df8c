"""A purge erases exactly what the table reaches: seen by a listing that neither Moulin nor Iceberg makes."""

import pytest
from conftest import Store, content, management, purge, rows
from endings import PURGER, Purged, ending
from pyiceberg.partitioning import PartitionField, PartitionSpec
from pyiceberg.schema import Schema
from pyiceberg.transforms import IdentityTransform
from pyiceberg.types import LongType, NestedField, StringType

SCHEMA = Schema(NestedField(1, "id", LongType(), required=True), NestedField(2, "city", StringType(), required=False))
BY_CITY = PartitionSpec(PartitionField(source_id=2, field_id=1000, transform=IdentityTransform(), name="city"))


def reach(table):
    """Stage of a purge to every path that the table names for it, enumerated by PyIceberg; no stage without paths."""
    snapshots = table.metadata.snapshots
    manifests = {manifest.manifest_path: manifest for each in snapshots for manifest in each.manifests(table.io)}
    entries = [
        entry
        for manifest in manifests.values()
        for entry in manifest.fetch_manifest_entry(table.io, discard_deleted=False)
    ]
    locations = {
        "data": [entry.data_file.file_path for entry in entries],
        "manifests": list(manifests),
        "manifest-lists": [snapshot.manifest_list for snapshot in snapshots],
        "statistics": [file.statistics_path for file in table.metadata.statistics],
        "metadata": [entry.metadata_file for entry in table.metadata.metadata_log],
        "root": [table.metadata_location],
    }
    return {stage: [Store.path(each) for each in found] for stage, found in locations.items() if found}


def fill(table):
    table.append(rows((1, "a"), (2, "b"), (3, "c")))
    table.append(rows((4, "a"), (5, "b")))
    table.overwrite(rows((6, "d")), overwrite_filter="city == 'b'")
    table.delete("id == 3")
    table.append(rows((7, "ß")))


def purge_and_check(catalog, store, table, left=frozenset()):
    """Purges, and compares the whole warehouse and the certificate with what this purger has to make of them."""
    table = catalog.load_table(table.name())
    before, own = store.listing(), set(store.listing(table.location()))
    named = reach(table)
    purged = purge(catalog, table)
    assert purged["state"] == "succeeded", purged
    after = store.listing()
    assert after.items() <= before.items()
    certificate = management(f"purges/{purged['id']}/certificate")["certificate"]
    assert certificate["purger"] == PURGER
    ending(Purged(store, named, left, own, before, after, certificate))
    assert not catalog.table_exists(table.name())


@pytest.mark.parametrize("version", ["1", "2"])
@pytest.mark.parametrize("spec", [PartitionSpec(), BY_CITY], ids=["plain", "partitioned"])
def test_purge(catalog, namespace, store, version, spec):
    neighbour = catalog.create_table(f"{namespace}.t2", schema=SCHEMA, properties={"format-version": version})
    fill(neighbour)
    table = catalog.create_table(
        f"{namespace}.t", schema=SCHEMA, partition_spec=spec, properties={"format-version": version}
    )
    fill(table)
    expected = content(neighbour)
    purge_and_check(catalog, store, table)
    assert content(catalog.load_table(neighbour.name())) == expected


def test_purge_after_expiry(catalog, namespace, store):
    table = catalog.create_table(f"{namespace}.expired", schema=SCHEMA)
    fill(table)
    ids = [snapshot.snapshot_id for snapshot in table.metadata.snapshots]
    table.maintenance.expire_snapshots().by_ids(ids[:3]).commit()
    table = catalog.load_table(table.name())
    # PyIceberg leaves the expired files; nothing names them any more, but they lie where only this table may be.
    named = {path for paths in reach(table).values() for path in paths}
    assert store.listing(table.location()).keys() > named
    purge_and_check(catalog, store, table)


def test_purge_keeps_files_without_garbage_collection(catalog, namespace, store):
    table = catalog.create_table(f"{namespace}.kept", schema=SCHEMA, properties={"gc.enabled": "FALSE"})
    fill(table)
    data = {path for path in store.listing(table.location()) if path.endswith(".parquet")}
    assert data
    purge_and_check(catalog, store, table, left=data)


def test_purge_keeps_files_of_another_table(catalog, namespace, store):
    owner = catalog.create_table(f"{namespace}.owner", schema=SCHEMA)
    owner.append(rows((1, "a")))
    borrowed = {store.path(task.file.file_path) for task in owner.scan().plan_files()}
    table = catalog.create_table(f"{namespace}.borrower", schema=SCHEMA)
    table.add_files([task.file.file_path for task in owner.scan().plan_files()])
    table.append(rows((2, "b")))
    purge_and_check(catalog, store, table, left=borrowed)
    assert content(catalog.load_table(owner.name())) == [(1, "a")]


def test_purge_waits_when_the_table_lives_on_under_another_name(catalog, namespace, store):
    table = catalog.create_table(f"{namespace}.first", schema=SCHEMA)
    fill(table)
    table = catalog.load_table(table.name())
    again = catalog.register_table(f"{namespace}.second", table.metadata_location)
    before = store.listing()
    assert purge(catalog, table)["state"] == "held"
    assert store.listing() == before
    assert content(catalog.load_table(again.name())) == content(again)


def test_name_can_be_used_again_at_once(catalog, namespace, store):
    table = catalog.create_table(f"{namespace}.again", schema=SCHEMA)
    fill(table)
    assert purge(catalog, table)["state"] == "succeeded"
    fresh = catalog.create_table(f"{namespace}.again", schema=SCHEMA)
    fresh.append(rows((9, "z")))
    assert content(catalog.load_table(fresh.name())) == [(9, "z")]


def test_files_that_nothing_names_are_left_alone_next_to_other_tables(catalog, namespace, store):
    table = catalog.create_table(f"{namespace}.tidy", schema=SCHEMA)
    fill(table)
    stray = table.location().rsplit("/", 1)[0] + "/stray.txt"
    store.write(stray, b"mine")
    purge_and_check(catalog, store, table)
    assert store.read(store.path(stray)) == b"mine"
