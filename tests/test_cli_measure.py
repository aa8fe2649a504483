"""``green-optuna measure``: the program is left as it is, and what it cost is said beside it."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import green_optuna as go
from green_optuna.carbon import Grid
from green_optuna.cli import main
from green_optuna.cli.grid import make_grid
from green_optuna.cli.measure import describe
from green_optuna.energy import ComponentEnergy, Measurement, Source
from green_optuna.units import kwh_from_joules

ROOT = str(Path(__file__).parents[1])

# Uses half a second of CPU time, however long that takes.
BURN = "import time\nwhile time.process_time() < 0.5: pass"


@pytest.fixture(autouse=True)
def _in_france(monkeypatch: pytest.MonkeyPatch) -> None:
    """Say where the electricity comes from."""
    monkeypatch.setenv("GREEN_OPTUNA_COUNTRY", "FRA")


@dataclass
class Ended:
    """How a command ended, and what it and its program wrote."""

    code: int
    out: str
    err: str


@dataclass
class Command:
    """Calls ``green-optuna measure`` in this process; its programs are real ones."""

    capfd: pytest.CaptureFixture[str]

    def __call__(self, *arguments: str) -> Ended:
        """Call it with some arguments."""
        self.capfd.readouterr()
        code = main(["measure", *arguments])
        written = self.capfd.readouterr()
        return Ended(code, written.out, written.err)

    def python(self, code: str, *options: str) -> tuple[Ended, dict[str, Any]]:
        """Measure a few lines of Python; also give what was written as JSON."""
        path = Path("measured.json")
        ended = self("--output", str(path), *options, "--", sys.executable, "-c", code)
        return ended, json.loads(path.read_text(encoding="utf-8"))


@pytest.fixture
def command(capfd: pytest.CaptureFixture[str]) -> Command:
    """Give the command, to call with its arguments."""
    return Command(capfd)


# What is shown and written


def test_the_cost_is_said_in_a_few_lines() -> None:
    """Energy, CO2e, duration and power, per component with its source, and the grid."""
    measured = Measurement(
        energy=ComponentEnergy(cpu_kwh=kwh_from_joules(100.0), ram_kwh=kwh_from_joules(20.0)),
        duration_s=2.0,
        grid=Grid(carbon_intensity_g_per_kwh=90.0, source="the test", pue=1.5),
        sources={
            "ram": Source("memory estimate, 10 W", measured=False),
            "cpu": Source("RAPL", measured=True),
        },
        host="the-host",
    )
    assert describe("train.py", measured).splitlines() == [
        "train.py: 33.3 mWh, 4.50 mg CO2e, 2.0 s, mean power 60.0 W (mixed)",
        "  cpu   27.8 mWh     50.0 W  RAPL",
        "  ram   5.56 mWh     10.0 W  memory estimate, 10 W",
        "  90 g/kWh (the test), PUE 1.5",
    ]


def test_a_program_keeps_its_streams_and_its_cost_goes_to_stderr(command: Command) -> None:
    """Standard output is the program's alone."""
    code = "import sys; print('to out'); print('to err', file=sys.stderr)"
    ended, result = command.python(code, "--name", "mine")
    assert (ended.code, ended.out) == (0, "to out\n")
    first, shown, *_, last = ended.err.splitlines()
    assert first == "to err"
    assert shown.startswith("mine: ")
    assert "CodeCarbon" in last
    assert (result["name"], result["exit_code"], result["shared"]) == ("mine", 0, False)
    assert sum(result["energy_kwh"].values()) > 0
    assert {name for source in result["sources"].values() for name in source} == {
        *("name", "measured", "follows_cpu_time", "resolution_s")
    }
    assert result["co2e_kg"] == pytest.approx(
        sum(result["energy_kwh"].values()) * go.Grid(country="FRA").co2e_kg_per_kwh
    )
    trace = result["trace"]
    assert trace["energy_kwh"][-1] == pytest.approx(sum(result["energy_kwh"].values()))
    assert trace["t_s"][-1] == pytest.approx(result["duration_s"])


def test_the_arguments_go_to_the_program_as_they_are(command: Command) -> None:
    """No option of its own is taken for one of ours, with a -- before it or without."""
    show = (sys.executable, "-c", "import sys; print(sys.argv[1:])", "--name", "$HOME", "--", "*")
    for before in ((), ("--",)):
        ended = command("--name", "mine", *before, *show)
        assert ended.out == "['--name', '$HOME', '--', '*']\n"


def test_the_trace_is_written_as_csv(command: Command) -> None:
    """In the units of the data, with a heading."""
    ended = command("--output", "trace.csv", sys.executable, "-c", "pass")
    assert ended.code == 0
    (row, *_) = list(csv.DictReader(Path("trace.csv").read_text(encoding="utf-8").splitlines()))
    assert float(row["ram_w"]) > 0
    assert float(row["cumulative_energy_kwh"]) > 0


def test_children_count_that_the_program_waits_for(command: Command) -> None:
    """Half a second of CPU time costs the same, in the program or in a child that ends with it."""
    _, own = command.python(BURN)
    nested = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {BURN!r}])"
    _, childs = command.python(nested)
    _, idle = command.python("pass")
    follows_cpu_time = own["sources"]["cpu"]["follows_cpu_time"]
    if not follows_cpu_time:
        pytest.skip("the processor's counter counts all that runs here")
    cpu_kwh = [result["energy_kwh"]["cpu"] for result in (own, childs, idle)]
    assert 0.7 * cpu_kwh[0] < cpu_kwh[1] < 2 * cpu_kwh[0]
    assert cpu_kwh[2] < 0.7 * cpu_kwh[0]


# Works until 2.5 s of CPU time, measures that, and writes what it cost to a file.
MEASURES_ITSELF = """
import json, time
import green_optuna as go
with go.measure(country="FRA") as run:
    while time.process_time() < 2.5: pass
kwh = run.result.energy.to_dict()
open("inner.json", "w").write(json.dumps(kwh | {"shared": run.result.shared}))
"""


@pytest.mark.slow
def test_a_program_that_measures_itself_is_measured_as_a_whole(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it measures is a part of what it costs: the two accounts share nothing."""
    monkeypatch.setenv("PYTHONPATH", ROOT)
    ended, outer = command.python(MEASURES_ITSELF)
    assert ended.code == 0, ended.err
    inner = json.loads(Path("inner.json").read_text())
    assert outer["energy_kwh"]["cpu"] > inner["cpu"] > 0
    assert outer["energy_kwh"]["ram"] > inner["ram"] > 0
    assert not inner["shared"]
    assert not outer["shared"]


# How it ends


@pytest.mark.parametrize("code", [0, 1, 3, 255])
def test_the_exit_code_is_the_programs_own(command: Command, code: int) -> None:
    """Also where it failed, it is measured."""
    ended, result = command.python(f"raise SystemExit({code})")
    assert (ended.code, result["exit_code"]) == (code, code)
    assert "CO2e" in ended.err


@pytest.mark.skipif(sys.platform == "win32", reason="signals are POSIX's")
def test_a_program_that_a_signal_ended_gives_128_and_its_number(command: Command) -> None:
    """As shells have it."""
    ended, result = command.python("import os; os.kill(os.getpid(), 9)")
    assert (ended.code, result["exit_code"]) == (137, 137)


def test_a_program_that_is_not_there_ends_with_127(command: Command) -> None:
    """In one line, and nothing is measured."""
    for name in ("no-such-program", "./no-such-program"):
        ended = command("--", name)
        assert (ended.code, ended.out, ended.err.count("\n")) == (127, "", 1)
        assert repr(name) in ended.err


@pytest.mark.skipif(sys.platform == "win32", reason="files have other rights there")
def test_a_program_that_cannot_be_executed_ends_with_126(command: Command, tmp_path: Path) -> None:
    """A file without the right, one that is no program, and a folder."""
    (tmp_path / "text").write_text("just text", encoding="utf-8")
    (tmp_path / "no-program").write_text("just text", encoding="utf-8")
    (tmp_path / "no-program").chmod(0o755)
    (tmp_path / "folder").mkdir()
    for name in ("text", "no-program", "folder"):
        ended = command("--", f"./{name}")
        assert (ended.code, ended.out, ended.err.count("\n")) == (126, "", 1), ended.err
        assert f"'./{name}' cannot be executed" in ended.err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "Missing argument"),
        (["--country", "XYZ", "true"], "--country='XYZ'"),
        (["--carbon-intensity", "-1", "true"], "--carbon-intensity=-1.0"),
        (["--region", "california", "true"], "--region="),
        (["--country", "FRA", "--pue", "0.5", "true"], "--pue=0.5"),
        (["--output", "result.txt", "true"], "--output is 'result.txt'"),
        (["--output", "missing/result.json", "true"], "folder that is there"),
        (["--name", "", "true"], "name is ''"),
        (["--experiment", "mine", "true"], "--mlflow"),
        (["--unknown", "true"], "No such option: --unknown. See"),
    ],
)
def test_wrong_usage_ends_with_2_before_the_program(
    command: Command, arguments: list[str], said: str
) -> None:
    """In one line, with the flag at fault."""
    refused = command(*arguments)
    assert (refused.code, refused.out, refused.err.count("\n")) == (2, "", 1)
    assert said in refused.err


def test_the_place_comes_from_the_flags_else_from_the_environment(
    monkeypatch: pytest.MonkeyPatch, command: Command
) -> None:
    """A PUE goes with either; without any place, the error says what to pass."""
    nothing: dict[str, Any] = {"country": None, "region": None, "intensity": None, "pue": None}
    assert make_grid(**nothing) == Grid(country="FRA")
    assert make_grid(**nothing | {"pue": 1.5}) == Grid(country="FRA", pue=1.5)
    own = make_grid(**nothing | {"intensity": 30.0})
    assert (own.country, own.carbon_intensity_g_per_kwh) == (None, 30.0)
    there = make_grid(**nothing | {"country": "USA", "region": "california", "pue": 1.1})
    assert there == Grid(country="USA", region="california", pue=1.1)
    monkeypatch.delenv("GREEN_OPTUNA_COUNTRY")
    refused = command("true")
    assert refused.code == 2
    assert "--carbon-intensity NUMBER" in refused.err


# Signals

# Says that it runs, then how it was asked to end.
ENDLESS = """
import signal, sys, time
def end(number, frame):
    print("asked by", number, flush=True)
    sys.exit(5)
signal.signal(signal.SIGTERM, end)
print("running", flush=True)
while True:
    time.sleep(0.1)
"""


@pytest.mark.slow
@pytest.mark.usefixtures("_interruptible")
@pytest.mark.skipif(sys.platform == "win32", reason="signals are POSIX's")
@pytest.mark.parametrize(
    ("number", "to_all", "code", "said"),
    [(signal.SIGINT, True, 130, ""), (signal.SIGTERM, False, 5, "asked by 15\n")],
)
def test_what_ends_the_program_leaves_its_measurement(
    number: signal.Signals,
    to_all: bool,
    code: int,
    said: str,
) -> None:
    """Ctrl-C goes to all that a terminal runs; what is sent to us alone is passed on."""
    process = subprocess.Popen(
        [sys.executable, "-m", "green_optuna", "measure", sys.executable, "-c", ENDLESS],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": ROOT},
        # A job of its own, as in a terminal.
        start_new_session=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "running\n"
    if to_all:
        os.killpg(process.pid, number)
    else:
        process.send_signal(number)
    out, err = process.communicate(timeout=120)
    assert (process.returncode, out) == (code, said), err
    assert "CO2e" in err
