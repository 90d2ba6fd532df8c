"""Does tasks of Moulin's purger `kafka` in Python, beside or instead of `moulin worker --kafka`.

python consumer.py BROKERS TASKS-TOPIC RECEIPTS-TOPIC    (see docs/reference/kafka-messages.md)
"""
import json, logging, os, re, signal, socket, sys
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timezone
import fastavro, fsspec
from kafka import KafkaConsumer, KafkaProducer

brokers, tasks_topic, receipts_topic = sys.argv[1:4]
me = f"python:{socket.gethostname()}:{os.getpid()}"
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))

class Expired(Exception):
    """The task's time is over: it comes again."""

def plain(path):  # one spelling for each place
    return re.sub(r"^file:/+", "/", re.sub(r"^s3[an]://", "s3://", path)).rstrip("/")

def inside(path, places):  # by whole segments
    return any(plain(path).startswith(plain(place) + "/") for place in places)

def odd(path):  # segments that climb or vanish: the server knows what to do with them
    return any(part in ("", ".", "..") for part in plain(path).split("://")[-1].lstrip("/").split("/"))

def entries(manifest):
    with fsspec.open(manifest["path"], "rb") as file:
        found = [entry["data_file"] for entry in fastavro.reader(file)]
        size = file.seek(0, os.SEEK_END)
    # Writers get either number wrong; a manifest that was cut lacks both.
    if len(found) < (manifest["entries"] or 0) and size < (manifest["length"] or size + 1):
        raise ValueError(f"{manifest['path']} has {len(found)} entries, not {manifest['entries']}: it was cut")
    return [(each["file_path"], each["file_size_in_bytes"]) for each in found]

def erase(task, path, size):
    if odd(path) or not inside(path, task["locations"]):
        return "left", 0, None
    if inside(path, task["keep"]):
        return "kept", 0, None
    if datetime.now(timezone.utc) >= datetime.fromisoformat(task["until"]):
        raise Expired(f"task {task['task']} of purge {task['purge']}: its time is over")
    try:
        store, name = fsspec.core.url_to_fs(path)
        store.rm_file(name)
        return "deleted", size, None
    except FileNotFoundError:
        return "absent", 0, None
    except Exception as error:
        outcome = "blocked" if isinstance(error, PermissionError) else "failed"
        return outcome, 0, {"path": path, "outcome": outcome, "code": type(error).__name__, "message": str(error)[:300]}

def work(task, pool):
    receipt = {name: task[name] for name in ("version", "purge", "generation", "task")}
    receipt |= {"consumer": me, "bytes": 0, "failures": [], "error": None}
    receipt["counts"] = dict.fromkeys(("deleted", "absent", "kept", "blocked", "failed", "left"), 0)
    try:
        for manifest in task["manifests"]:
            for outcome, size, failure in pool.map(lambda file: erase(task, *file), entries(manifest)):
                receipt["counts"][outcome] += 1
                receipt["bytes"] += size
                if failure and len(receipt["failures"]) < 20:
                    receipt["failures"].append(failure)
    except Expired:
        raise
    except Exception as error:
        receipt["error"] = {"code": type(error).__name__, "message": str(error)[:1000], "permanent": False}
    return receipt

producer = KafkaProducer(bootstrap_servers=brokers, acks="all", value_serializer=lambda body: json.dumps(body).encode())
consumer = KafkaConsumer(tasks_topic, bootstrap_servers=brokers, group_id=f"{tasks_topic}-workers", enable_auto_commit=False,
                         auto_offset_reset="earliest", max_poll_records=1, max_poll_interval_ms=3_600_000)
with ThreadPoolExecutor(16) as pool:
    for message in consumer:
        try:
            task = json.loads(message.value)
            receipt = work(task, pool) if task["version"] == 1 else None
        except Exception as error:  # no task, or one whose time is over: nothing to answer
            logging.warning("message passed over: %r", error)
            receipt = None
        if receipt:
            producer.send(receipts_topic, receipt, key=message.key).get(timeout=60)
        consumer.commit()  # only after the receipt is acknowledged
