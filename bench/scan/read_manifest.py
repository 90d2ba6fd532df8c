"""Reads a manifest with PyIceberg, once for each line on standard input: prints the entries and the CPU seconds."""

import sys
import time

from pyiceberg.io.pyarrow import PyArrowFileIO
from pyiceberg.manifest import ManifestContent, ManifestFile

manifest = ManifestFile.from_args(
    manifest_path=sys.argv[1],
    manifest_length=0,
    partition_spec_id=0,
    content=ManifestContent.DATA,
    sequence_number=1,
    min_sequence_number=1,
    added_snapshot_id=1,
)
io = PyArrowFileIO()
for _ in sys.stdin:
    before = time.process_time()
    entries = manifest.fetch_manifest_entry(io, discard_deleted=False)
    print(len(entries), time.process_time() - before, flush=True)
