"""How a purge ends: what each purger does to the files of a table, and what its certificate has to say of them."""

import gzip
import json
import os
from collections import defaultdict
from dataclasses import dataclass

from conftest import Store


@dataclass
class Purged:
    """A purge that is over, and the warehouse before and after it: path to content of every file."""

    store: Store
    # Stage to the paths that the table names, those of entries once for each manifest.
    reach: dict[str, list[str]]
    # Paths of the reach that are not to be erased.
    left: set[str]
    # What lies at the table's location.
    own: set[str]
    before: dict[str, bytes]
    after: dict[str, bytes]
    certificate: dict

    @property
    def named(self):
        return {path for paths in self.reach.values() for path in paths}

    @property
    def gone(self):
        return self.before.keys() - self.after.keys()

    @property
    def counts(self):
        """Stage to the number of paths that are gone, and of those that were kept, as the certificate says it."""
        return {
            stage: (counts.get("deleted", 0) + counts.get("absent", 0), counts.get("kept", 0))
            for stage, counts in self.certificate["counts"].items()
            if any(counts.values())
        }

    @property
    def expected_counts(self):
        kept = {stage: sum(path in self.left for path in paths) for stage, paths in self.reach.items()}
        return {stage: (len(paths) - kept[stage], kept[stage]) for stage, paths in self.reach.items()}


def erased(purged):
    """What the table names is gone, and what else lies where only this table may be."""
    assert purged.gone == (purged.named | purged.own) - purged.left
    swept = len(purged.own - purged.named)
    assert purged.counts == purged.expected_counts | ({"sweep": (swept, 0)} if swept else {})


def moved(purged):
    """What the table names lies in the trash as it was, and nowhere else."""
    assert purged.gone == purged.named - purged.left
    assert purged.counts == purged.expected_counts
    trash = f"{os.environ['MOULIN_TEST_TRASH']}/{purged.certificate['purge']}"
    folder = purged.store.path(trash)
    in_trash = {f"{folder}/{path.lstrip('/')}": purged.before[path] for path in purged.gone}
    assert purged.store.listing(trash) == in_trash


def planned(purged):
    """Everything is there, and the plan says what the other purgers would erase and what they would keep."""
    assert purged.after == purged.before
    assert purged.counts == {stage: (0, len(paths)) for stage, paths in purged.reach.items()}
    paths, kept = defaultdict(list), set()
    for line in plan(purged):
        path = purged.store.path(line["path"])
        paths[line["stage"]].append(path)
        if "kept" in line:
            kept.add(path)
    assert {stage: sorted(each) for stage, each in paths.items()} == {
        stage: sorted(each) for stage, each in purged.reach.items()
    }
    assert kept == purged.left


def plan(purged):
    """The lines of the plan that the certificate names."""
    [attachment] = purged.certificate["attachments"]
    index = json.loads(purged.store.read(purged.store.path(attachment["location"])))
    for part in index["parts"]:
        lines = gzip.decompress(purged.store.read(purged.store.path(part["location"])))
        yield from map(json.loads, lines.splitlines())


# The purger of the server under test, as certificates name it.
PURGER = os.environ.get("MOULIN_TEST_PURGER", "sql-async")
# What has to hold after each of its purges.
ending = {"audit-only": planned, "move-to-trash": moved}.get(PURGER, erased)
