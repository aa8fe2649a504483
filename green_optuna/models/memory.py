"""The most memory that tensors hold during one inference of a torch model."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

from green_optuna.errors import ModelError
from green_optuna.models.calls import Call


def peak_memory_bytes(model: object, inputs: object) -> int:
    """Return the most that tensors hold at once during one inference, in bytes."""
    return peak_memory_of(Call.of(model, inputs))


def peak_memory_of(call: Call) -> int:
    """Return the most that tensors hold at once during a call, in bytes."""
    import torch
    from torch.profiler import ProfilerActivity, profile

    if call.module is None:
        raise ModelError("no torch module")
    held = {
        tensor.untyped_storage().data_ptr(): tensor.untyped_storage().nbytes()
        for tensor in (*call.module.parameters(), *call.module.buffers(), *call.args)
        if isinstance(tensor, torch.Tensor)
    }
    with call.evaluating():
        call()
        with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiler:
            output = call()
            del output
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "trace.json"
        profiler.export_chrome_trace(str(path))
        events = json.loads(path.read_text(encoding="utf-8"))["traceEvents"]
    totals = [event["args"] for event in events if event.get("name") == "[memory]"]
    first = totals[0]["Total Allocated"] - totals[0]["Bytes"] if totals else 0
    return sum(held.values()) + max((one["Total Allocated"] - first for one in totals), default=0)
