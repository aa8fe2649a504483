"""What W&B wrote where it is offline: the records of its files, read without a server."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from wandb.proto import wandb_internal_pb2

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

# The file is a LevelDB log behind a header of its own: blocks, in which each part of a record has
# a checksum, its length and its kind before it.
FILE_HEADER = 7
PART_HEADER = 7
BLOCK = 32768
LAST_PARTS = {1, 4}  # a whole record, or the end of one


@dataclass(slots=True)
class WandbRun:
    """What a run's file says of it, the last word where it says so more than once."""

    name: str = ""
    project: str = ""
    group: str = ""
    tags: tuple[str, ...] = ()
    config: dict[str, Any] = field(default_factory=dict)
    history: list[dict[str, Any]] = field(default_factory=list)


def wandb_runs(folder: Path) -> list[WandbRun]:
    """Read the runs that were logged offline below a folder."""
    return [_read(path) for path in sorted(folder.rglob("run-*.wandb"))]


def _read(path: Path) -> WandbRun:
    run = WandbRun()
    for record in _records(path.read_bytes()):
        if record.HasField("run"):
            run.name, run.project = record.run.display_name, record.run.project
            run.group, run.tags = record.run.run_group, tuple(record.run.tags)
            run.config |= _values(record.run.config.update)
        elif record.HasField("config"):
            run.config |= _values(record.config.update)
        elif record.HasField("history"):
            run.history.append(_values(record.history.item))
    return run


def _values(items: Iterable[Any]) -> dict[str, Any]:
    return {item.key or ".".join(item.nested_key): json.loads(item.value_json) for item in items}


def _records(content: bytes) -> Iterator[Any]:
    at, parts = FILE_HEADER, b""
    while at + PART_HEADER <= len(content):
        left = BLOCK - at % BLOCK
        if left < PART_HEADER:
            at += left
            continue
        length, kind = int.from_bytes(content[at + 4 : at + 6], "little"), content[at + 6]
        at += PART_HEADER
        parts += content[at : at + length]
        at += length
        if kind in LAST_PARTS:
            # protobuf makes the class as the module is imported, out of sight of type checkers.
            record = wandb_internal_pb2.Record()  # type: ignore[attr-defined]
            record.ParseFromString(parts)
            parts = b""
            yield record
