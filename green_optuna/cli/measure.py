"""``green-optuna measure``: any program, run as it is, and what it cost."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import shutil
import signal
import subprocess
import threading
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from green_optuna.cli import render
from green_optuna.energy import MeterOptions, sampler_for
from green_optuna.energy.board import MEASURED_BY_VARIABLE
from green_optuna.energy.stored import measurement_to_dict
from green_optuna.errors import MeterError, OptionError
from green_optuna.folders import write_atomically
from green_optuna.measure import measure
from green_optuna.tracking.series import trace_csv
from green_optuna.units import (
    format_co2e,
    format_duration,
    format_energy,
    format_power,
    joules_from_kwh,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from types import FrameType

    from green_optuna.carbon import Grid
    from green_optuna.energy import Measurement
    from green_optuna.tracking import Tracker

NOT_FOUND = 127
"""The exit code where there is no such program, as shells have it."""

NOT_EXECUTABLE = 126
"""The exit code where there is one that cannot be executed, as shells have it."""

_SUFFIXES = (".json", ".csv")

# What is to end the program is sent to us as well, and we have to outlive it. Ctrl-C goes to all
# processes of a terminal's job, the program among them; the rest has to be passed on.
_NOTED = ("SIGINT", "SIGQUIT")
_PASSED_ON = ("SIGTERM", "SIGHUP", "SIGUSR1", "SIGUSR2")


class ProgramFailedError(Exception):
    """The program ended otherwise than with 0; its measurement says so in the trackers.

    Args:
        code: Its exit code, as shells have it.
    """

    def __init__(self, code: int) -> None:
        super().__init__(f"exit code {code}")
        self.code = code


def measure_program(
    command: Sequence[str],
    *,
    grid: Grid,
    output: Path | None,
    name: str | None,
    trackers: Sequence[Tracker],
) -> int:
    """Run a program, measured with all its children, and say what it cost.

    Its standard streams are ours, untouched. To start it and to wait for it takes some
    milliseconds of processor time, of which those in this thread are not counted. Where the
    memory's power is estimated for a process, that is done before the program has any.

    Args:
        command: The program and its arguments; no shell looks at them.
        grid: What turns the energy into CO2e.
        output: Where to write the result as well, ``.json`` or ``.csv``.
        name: What to call it; as the program unless given.
        trackers: Who is told.

    Returns:
        The program's exit code, 128 and the signal's number where one killed it; 127 where it is
        not found and 126 where it cannot be executed.

    Raises:
        OptionError: The name is empty, or the output cannot be written there.
        MeterError: This host cannot be measured; or the program, which then ended with 0, could
            not.
    """
    _check_output(output)
    refusal = _look_for(command[0])
    if refusal is not None:
        return refusal
    name = Path(command[0]).name if name is None else name
    measuring = measure(grid=grid, trackers=trackers, name=name)
    code = 0
    try:
        with measuring as run:
            _run(command)
    except ProgramFailedError as failed:
        code = failed.code
    except OSError as error:
        return _refuse(command[0], error)
    try:
        result = run.result
    except MeterError:
        if code:
            # The program's own failure comes first; the log has said the rest.
            return code
        raise
    render.say(describe(name, result))
    if output is None or _write(output, name=name, code=code, measurement=result):
        return code
    return code or 1


def describe(name: str, measurement: Measurement) -> str:
    """Say in a few lines what something cost, and what that rests on.

    Args:
        name: What it is called.
        measurement: What it cost.
    """
    grid, duration_s = measurement.grid, measurement.duration_s
    energy, co2e = format_energy(measurement.energy_kwh), format_co2e(measurement.co2e_kg)
    power = format_power(measurement.mean_power_w)
    cost = f"{energy}, {co2e} CO2e, {format_duration(duration_s)}, mean power {power}"
    lines = [f"{name}: {cost} ({measurement.basis})"]
    for component, kwh in measurement.energy.to_dict().items():
        if component in measurement.sources:
            energy, power = format_energy(kwh), format_power(joules_from_kwh(kwh) / duration_s)
            source = measurement.sources[component].name
            lines.append(f"  {component}  {energy:>9}  {power:>9}  {source}")
    pue = "" if grid.pue == 1 else f", PUE {grid.pue:g}"
    lines.append(f"  {grid.carbon_intensity_g_per_kwh:g} g/kWh ({grid.source}){pue}")
    return "\n".join(lines)


def _run(command: Sequence[str]) -> None:
    """Run a program to its end.

    Raises:
        OSError: It cannot be started.
        ProgramFailedError: It ended otherwise than with 0.
    """
    process: subprocess.Popen[bytes] | None = None
    early: list[int] = []

    def handle(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 - Python's signature
        if process is None:
            early.append(number)
        elif number not in _at_hand(_NOTED):
            process.send_signal(number)

    with _handled_by(handle):
        # Processor time of ours, which tells more the shorter the program is.
        with sampler_for(MeterOptions()).excluded():
            process = subprocess.Popen(command, env=_environment())
        with process:
            for number in early:
                process.send_signal(number)
            code = process.wait()
    if code:
        raise ProgramFailedError(128 - code if code < 0 else code)


def _environment() -> dict[str, str]:
    """Give the program's environment, which says that it is measured as a whole."""
    return os.environ | {MEASURED_BY_VARIABLE: str(os.getpid())}


@contextlib.contextmanager
def _handled_by(handle: Callable[[int, FrameType | None], None]) -> Iterator[None]:
    """Outlive the program, whatever signal ends it; one that is ignored stays so, for both."""
    former: dict[int, Any] = {}
    if threading.current_thread() is threading.main_thread():
        for number in _at_hand(_NOTED + _PASSED_ON):
            # None where what embeds Python handles it, which could not be put back.
            if signal.getsignal(number) not in (signal.SIG_IGN, None):
                former[number] = signal.signal(number, handle)
    try:
        yield
    finally:
        for number, before in former.items():
            signal.signal(number, before)


def _at_hand(names: Sequence[str]) -> list[int]:
    """Give the signals of these names that this system has."""
    return [getattr(signal, name) for name in names if hasattr(signal, name)]


def _look_for(program: str) -> int | None:
    """Say what is wrong with a program before anything is begun for it; give the exit code."""
    if shutil.which(program) is not None:
        return None
    # A name without a folder is looked for in PATH alone.
    is_there = Path(program).name != program and Path(program).exists()
    return _refuse(program, OSError(errno.EACCES if is_there else errno.ENOENT, ""))


def _refuse(program: str, error: OSError) -> int:
    """Say why a program did not start; give the exit code."""
    if error.errno == errno.ENOENT:
        render.say(
            f"error: {program!r} was not found: name a program in PATH, or a path with a slash in "
            "it (no shell is asked, so no aliases). Of a script, its interpreter may be missing."
        )
        return NOT_FOUND
    why = os.strerror(error.errno) if error.errno else str(error)
    render.say(
        f"error: {program!r} cannot be executed ({why}): name a program, or give a script its "
        "right (chmod +x) and its first line (#!)."
    )
    return NOT_EXECUTABLE


def _check_output(output: Path | None) -> None:
    """Refuse before the program what could not be written after it.

    Raises:
        OptionError: The file is of another kind, or its folder is missing.
    """
    if output is None:
        return
    if output.suffix not in _SUFFIXES:
        raise OptionError(f"--output is {str(output)!r}: end it with .json, or .csv for the trace.")
    if output.is_dir() or not os.access(output.absolute().parent, os.W_OK | os.X_OK):
        raise OptionError(
            f"--output is {str(output)!r}, which cannot be written: name a file in a folder that "
            "is there and is yours to write to."
        )


def _write(path: Path, *, name: str, code: int, measurement: Measurement) -> bool:
    """Write a result, all of it as JSON or its trace as CSV; tell whether that could be done."""
    text = trace_csv(measurement)
    if path.suffix == ".json":
        columns = ("t_s", "cpu_w", "gpu_w", "ram_w", "energy_kwh")
        rows = list(measurement.trace.rows())
        result = {
            "name": name,
            "exit_code": code,
            **measurement_to_dict(measurement),
            "sources": {part: asdict(source) for part, source in measurement.sources.items()},
            "mean_power_w": measurement.mean_power_w,
            "trace": {column: [row[i] for row in rows] for i, column in enumerate(columns)},
        }
        text = json.dumps(result, indent=2) + "\n"
    try:
        write_atomically(path, text)
    except OSError as error:
        render.say(f"error: {str(path)!r} could not be written: {error}")
        return False
    return True
