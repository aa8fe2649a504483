"""What a tracker could not take is kept on disk, whole."""

from __future__ import annotations

import json
import math
import os
import stat
import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

import green_optuna as go
from green_optuna.energy.stored import measurement_from_dict
from green_optuna.tracking import spool

from .records import TERMS, make_measurement, make_record

if TYPE_CHECKING:
    from pathlib import Path

    from green_optuna.record import State


def refuse_constant(name: str) -> float:
    """Fail on NaN and infinities, which are not JSON."""
    raise AssertionError(f"{name} is not JSON")


def kept() -> list[dict[str, Any]]:
    """Give the lines of the spool, read as strict JSON."""
    lines = spool.path(TERMS).read_text(encoding="utf-8").splitlines()
    return [json.loads(line, parse_constant=refuse_constant) for line in lines]


def test_a_record_is_kept_with_its_whole_trace(tmp_path: Path) -> None:
    """One line holds the tracker, the trial and every point of its trace, exactly."""
    measurement = make_measurement([0.1, 0.2, 0.30000000000000004], cpu_w=[1.0, 2.0, 3.0])
    record = make_record(
        kind="measurement",
        state="complete",
        params={"lr": 0.1, "kind": "größe"},
        run_ids={"mlflow": "abc"},
        measurement=measurement,
        quality=0.75,
        n_params=10,
        objectives={"quality_loss": 0.25},
        reports=(go.Report(0, 0.5, energy_kwh=1e-9, t_s=0.1),),
        live_flushes=2,
    )
    spool.keep("mlflow", record)
    (line,) = kept()
    trial = line["trial"]
    assert line["tracker"] == "mlflow"
    assert go.StudyTerms.from_dict(trial["terms"]) == TERMS
    assert trial["terms"]["key"] == TERMS.key
    said = ("kind", "study_name", "number", "state", "started_at", "live_flushes", "error")
    assert {name: trial[name] for name in said} == {name: getattr(record, name) for name in said}
    assert trial["params"] == record.params
    assert trial["run_ids"] == record.run_ids
    assert trial["objectives"] == record.objectives
    assert trial["reports"] == [[0, 0.5, 1e-9, 0.1]]
    assert [tuple(row) for row in trial["trace"]] == list(measurement.trace.rows())
    assert measurement_from_dict(trial).energy == measurement.energy
    assert spool.path(TERMS).is_relative_to(tmp_path / "state")


def test_a_record_without_a_measurement_or_with_a_missing_quality_is_json_too() -> None:
    """NaN becomes null, and what was not measured is left out."""
    report = go.Report(3, math.nan, energy_kwh=0.0, t_s=0.1)
    spool.keep("mlflow", make_record(state="failed", error="ValueError: no", reports=(report,)))
    trial = kept()[0]["trial"]
    assert trial["reports"] == [[3, None, 0.0, 0.1]]
    assert "trace" not in trial
    assert trial["error"] == "ValueError: no"


def test_attributes_that_json_does_not_know_are_kept_as_text() -> None:
    """The user may attach what an in-memory study takes."""
    spool.keep("mlflow", make_record(user_attrs={"where": {1, 2}}))
    assert kept()[0]["trial"]["user_attrs"] == {"where": "{1, 2}"}


def test_passwords_of_urls_are_not_kept() -> None:
    """Errors and attributes, however deep, may hold a URL: all but its password is kept."""
    url = "postgresql://u:hunter2@db/x"
    record = make_record(
        state="failed",
        error=f"OperationalError: cannot reach {url}",
        params={"where": url},
        user_attrs={"tried": [{"url": url, "n": 3}], "all": {"https://u:hunter2@db/api"}},
    )
    spool.keep("mlflow", record)
    assert "hunter2" not in spool.path(TERMS).read_text(encoding="utf-8")
    trial = kept()[0]["trial"]
    shown = "postgresql://u:***@db/x"
    assert trial["error"] == f"OperationalError: cannot reach {shown}"
    assert trial["params"] == {"where": shown}
    assert trial["user_attrs"] == {
        "tried": [{"url": shown, "n": 3}],
        "all": "{'https://u:***@db/api'}",
    }


def test_a_trackers_password_is_not_kept_of_an_error() -> None:
    """A library may repeat it without its URL; in the user's own values it stands by chance."""
    record = make_record(
        state="failed", error="RuntimeError: 'ad' is no password", params={"optimizer": "adam"}
    )
    spool.keep("mlflow", record, secrets=("ad",))
    trial = kept()[0]["trial"]
    assert trial["error"] == "RuntimeError: '***' is no password"
    assert trial["params"] == {"optimizer": "adam"}


@pytest.mark.skipif(os.name != "posix", reason="other systems keep no such modes")
@pytest.mark.parametrize("is_there", [False, True])
def test_the_spool_is_for_its_owner_alone(is_there: bool) -> None:
    """Nobody else can list or read it, whoever made it open to all before."""
    folder = spool.path(TERMS).parent
    if is_there:
        folder.mkdir()
        folder.chmod(0o755)
    spool.keep("mlflow", make_record())
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_records_kept_at_the_same_time_do_not_mix() -> None:
    """Each line is one record."""
    measurement = make_measurement(list(range(1, 500)), cpu_w=[1.0] * 499)

    def keep_five(thread: int) -> None:
        for i in range(5):
            spool.keep("mlflow", make_record(number=10 * thread + i, measurement=measurement))

    threads = [threading.Thread(target=keep_five, args=(thread,)) for thread in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    numbers = [line["trial"]["number"] for line in kept()]
    assert sorted(numbers) == [10 * thread + i for thread in range(4) for i in range(5)]
    assert {len(line["trial"]["trace"]) for line in kept()} == {499}


def test_a_record_comes_back_as_it_was() -> None:
    """To the last digit of its trace, and with all that was known of the trial."""
    record = make_record(
        state="complete",
        params={"lr": 0.1, "kind": "größe"},
        run_ids={"mlflow": "abc"},
        user_attrs={"seed": 3},
        measurement=make_measurement([0.1, 0.30000000000000004], cpu_w=[1.0, 3.0], gpu_w=2.0),
        overhead=go.ComponentEnergy(cpu_kwh=1e-9),
        quality=0.75,
        n_params=10,
        parameters=go.ParameterCount(total=10, trainable=4),
        objectives={"quality_loss": 0.25},
        runs=(go.RunRecord(0.2, 1e-9, 0.1), go.RunRecord(None, 2e-9, 0.2)),
        loss_interval=go.Interval(mean=0.2, low=-0.1, high=0.5, confidence=0.9, n=7),
        reports=(go.Report(0, 0.5, energy_kwh=1e-9, t_s=0.1),),
        live_flushes=2,
    )
    spool.keep("mlflow", record)
    (entry,) = spool.Spool(spool.path(TERMS)).entries()
    assert entry.record() == record
    assert entry.record().terms.key == record.terms.key
    assert (entry.subject, entry.tracker) == ("Study 's'", "mlflow")


@pytest.mark.parametrize("state", ["failed", "pruned", "killed"])
def test_a_record_without_a_measurement_comes_back_too(state: State) -> None:
    """Nothing is made up for what was not known; NaN is NaN again."""
    reports = (go.Report(3, math.nan, energy_kwh=0.0, t_s=0.1),)
    record = make_record(state=state, error="ValueError: no", reports=reports)
    spool.keep("mlflow", record)
    (entry,) = spool.Spool(spool.path(TERMS)).entries()
    back = entry.record()
    assert math.isnan(back.reports[0].quality)
    assert replace(back, reports=()) == replace(record, reports=())


def test_a_line_that_was_torn_costs_no_other() -> None:
    """A process that was killed as it wrote leaves half a line: the next record is whole."""
    spool.keep("mlflow", make_record(number=1))
    path = spool.path(TERMS)
    whole = path.read_text(encoding="utf-8")
    path.write_text(whole + whole[: len(whole) // 2], encoding="utf-8")
    spool.keep("mlflow", make_record(number=2))
    waiting = spool.Spool(path)
    assert [entry.record().number for entry in waiting.entries()] == [1, 2]


def test_what_a_newer_version_keeps_is_left_alone() -> None:
    """It is not sent, which would lose some of it, and not removed with what was."""
    spool.keep("mlflow", make_record())
    waiting = spool.Spool(spool.path(TERMS))
    waiting.append({"version": 99, "id": "x", "tracker": "mlflow", "trial": {"new": True}})
    (entry,) = waiting.entries()
    waiting.mark_sent(entry)
    waiting.tidy()
    assert [line["version"] for line in kept() if "trial" in line] == [1, 99]
    assert waiting.entries() == []


def test_what_was_sent_is_left_out_once_it_is_most_of_the_file() -> None:
    """To write it anew after each record would take longer than to send it."""
    for number in range(5):
        spool.keep("mlflow", make_record(number=number))
    waiting = spool.Spool(spool.path(TERMS))
    for entry in waiting.entries()[:2]:
        waiting.mark_sent(entry)
    waiting.tidy()
    assert len([line for line in kept() if "trial" in line]) == 5
    waiting.mark_sent(waiting.entries()[0])
    waiting.tidy()
    assert [line["trial"]["number"] for line in kept()] == [3, 4]


def test_a_line_that_is_no_record_is_in_nobodys_way() -> None:
    """Whatever else has got into the file."""
    spool.keep("mlflow", make_record())
    path = spool.path(TERMS)
    with path.open("a", encoding="utf-8") as file:
        file.write('{"version": 1, "id": "a"}\nno JSON\n[1]\n')
    assert len(spool.Spool(path).entries()) == 1


def test_values_of_parameters_are_kept_as_trackers_show_them() -> None:
    """JSON would make a list of a tuple, and MLflow another parameter of that."""
    spool.keep("mlflow", make_record(params={"layers": (64, 64), "lr": 0.1, "on": True}))
    (entry,) = spool.Spool(spool.path(TERMS)).entries()
    assert entry.record().params == {"layers": "(64, 64)", "lr": 0.1, "on": True}


def test_what_was_sent_waits_no_more_and_the_file_goes_with_the_last() -> None:
    """Also where the process that sent it was killed before it tidied up."""
    for number in (1, 2):
        spool.keep("mlflow", make_record(number=number))
    waiting = spool.Spool(spool.path(TERMS))
    first, second = waiting.entries()
    waiting.mark_sent(first)
    assert [entry.id for entry in waiting.entries()] == [second.id]
    waiting.tidy()
    assert waiting.path.exists()
    waiting.mark_sent(second)
    waiting.tidy()
    assert not waiting.path.exists()
    assert waiting.entries() == []
    waiting.tidy()


def test_all_spools_of_the_user_are_found() -> None:
    """One a study, one a process's measurements."""
    assert spool.Spool.all() == []
    keys = ["a", "b"]
    for key in keys:
        spool.keep("mlflow", make_record(terms=replace(TERMS, key=key)))
    assert [one.path.stem for one in spool.Spool.all()] == keys
