"""Runs of Weights & Biases as they stand in their own files on disk, for the tests here.

A run's file is LevelDB's log format: after a header of 7 bytes, blocks of 32 KiB hold chunks, each
with a checksum, a length and its place in a record. A record is a protobuf message of W&B's.
"""

from __future__ import annotations

import json
import struct
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wandb.proto import wandb_internal_pb2 as pb

if TYPE_CHECKING:
    from collections.abc import Iterator

_BLOCK = 32 * 1024
_FILE_HEADER = 7
_CHUNK_HEADER = struct.Struct("<IHB")
_FULL, _FIRST, _LAST = 1, 2, 4


@dataclass
class LoggedRun:
    """What one run's file holds.

    Attributes:
        path: The file.
        meta: W&B's own record of the run as it was last: id, name, group, job type, tags, notes.
        rows: What was logged, in order.
        config: The config as it was in the end.
        summary: What was put into the summary.
        metrics: How each metric was defined.
        files: The files saved with it.
        exit_code: How it ended; None where it did not.
    """

    path: Path
    meta: Any = None
    rows: list[dict[str, Any]] = field(default_factory=list)
    config: dict[str, Any] = field(default_factory=dict)
    summary: dict[str, Any] = field(default_factory=dict)
    metrics: dict[str, Any] = field(default_factory=dict)
    files: list[str] = field(default_factory=list)
    exit_code: int | None = None

    def column(self, key: str) -> list[Any]:
        """Give what was logged under a key."""
        return [row[key] for row in self.rows if key in row]

    def saved(self, name: str) -> Path:
        """Give a file that was saved with the run."""
        assert name in self.files
        return self.path.parent / "files" / name


def runs_in(folder: Path, *, n_ended: int | None = None) -> list[LoggedRun]:
    """Give the runs below a folder, by name.

    Args:
        folder: The folder.
        n_ended: How many are known to have ended: W&B's service may still be writing the last.
    """
    until_s = time.monotonic() + 20
    while True:
        runs = [_read(path) for path in sorted(folder.rglob("run-*.wandb"))]
        ended = [run for run in runs if run.exit_code is not None]
        if n_ended is None or len(ended) >= n_ended or time.monotonic() > until_s:
            return sorted((run for run in runs if run.meta), key=lambda run: run.meta.display_name)
        time.sleep(0.02)


def _read(path: Path) -> LoggedRun:
    run = LoggedRun(path)
    for record in _records(path):
        kind = record.WhichOneof("record_type")
        if kind == "run":
            run.meta = record.run
            _update(run.config, record.run.config)
        elif kind == "config":
            _update(run.config, record.config)
        elif kind == "summary":
            _update(run.summary, record.summary)
        elif kind == "history":
            run.rows.append(
                {_key(item): json.loads(item.value_json) for item in record.history.item}
            )
        elif kind == "metric":
            run.metrics[record.metric.name or record.metric.glob_name] = record.metric
        elif kind == "files":
            run.files += [file.path for file in record.files.files]
        elif kind == "exit":
            run.exit_code = record.exit.exit_code
    return run


def _update(values: dict[str, Any], record: Any) -> None:  # noqa: ANN401 - config or summary
    for item in record.update:
        values[_key(item)] = json.loads(item.value_json)


def _key(item: Any) -> str:  # noqa: ANN401 - W&B's messages differ by type
    return item.key or "/".join(item.nested_key)


def _records(path: Path) -> Iterator[Any]:
    """Give the whole records of a file; the last may still be on its way."""
    content = path.read_bytes()
    at, parts = _FILE_HEADER, b""
    while at + _CHUNK_HEADER.size <= len(content):
        left = _BLOCK - at % _BLOCK
        if left < _CHUNK_HEADER.size:
            at += left
            continue
        _, length, kind = _CHUNK_HEADER.unpack_from(content, at)
        at += _CHUNK_HEADER.size
        chunk = content[at : at + length]
        if kind == 0 or len(chunk) < length:
            return
        at += length
        parts = chunk if kind in (_FULL, _FIRST) else parts + chunk
        if kind in (_FULL, _LAST):
            record = pb.Record()  # type: ignore[attr-defined]  # made as it is imported
            record.ParseFromString(parts)
            yield record
