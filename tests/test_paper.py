"""The paper's tables and fronts, cell by cell."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest

import green_optuna as go
from green_optuna.cli import main
from green_optuna.errors import OptionError
from green_optuna.paper import Reproduction, reproduce
from green_optuna.paper.figure import save_figure
from green_optuna.paper.published import LISTENINGS, TRAININGS, WITHOUT_MOS

if TYPE_CHECKING:
    from pathlib import Path

# Table 1 of the paper, written down once more: W, h, kWh, kg; and the kg that follow.
TABLE_1 = {
    "SampleRNN": ("1 x GTX TITAN X", "250", 168, "42.0", "18.4", "18.4"),
    "SING": ("4 x NVIDIA P100", "1000", 52, "52.0", "22.7", "22.7"),
    "WaveGAN": ("1 x NVIDIA P100", "250", 96, "24", "10.5", "10.5"),
    "GANSynth": ("1 x NVIDIA V100", "300", 108, "32.4", "15.45", "14.16"),
    "FloWaveNet": ("1 x NVIDIA V100", "300", 272, "81.6", "35.7", "35.7"),
}

# Table 2: MOS, that of the ground truth, 1 - %MOS as printed and as it follows, parameters.
TABLE_2 = {
    "SING": (2.8, 3.86, "0.26", "0.27", 64e6),
    "WaveGAN": (2.3, 3.9, "0.41", "0.41", 89e6),
    "FloWaveNet": (3.95, 4.67, "0.15", "0.15", 186e6),
}


@pytest.fixture(scope="module")
def paper() -> Reproduction:
    """Give the paper, computed anew."""
    return reproduce()


def test_table_1_follows_to_the_digit_but_for_one_cell(paper: Reproduction) -> None:
    """Power, energy and CO2e of each training; GANSynth's CO2e does not follow from its row."""
    for row in paper.trainings:
        hardware, power, hours, energy, printed_co2e, co2e = TABLE_1[row.inputs.model]
        cells = row.cells
        assert f"{row.inputs.count} x {row.inputs.printed_device}" == hardware
        assert row.inputs.hours == hours
        assert cells["power_w"].printed == cells["power_w"].rounded == power
        assert cells["energy_kwh"].printed == cells["energy_kwh"].rounded == energy
        assert (cells["co2e_kg"].printed, cells["co2e_kg"].rounded) == (printed_co2e, co2e)
    assert [row.inputs.model for row in paper.trainings] == list(TABLE_1)


def test_the_energy_is_power_times_time_and_the_co2e_its_share(paper: Reproduction) -> None:
    """Equation 6 by hand, in other units: W s to J, 3.6 MJ a kWh, 437 g a kWh."""
    for row in paper.trainings:
        _, power, hours, *_ = TABLE_1[row.inputs.model]
        joules = float(power) * hours * 3600
        assert row.cells["energy_kwh"].computed == pytest.approx(joules / 3.6e6, rel=1e-12)
        assert row.cells["co2e_kg"].computed == pytest.approx(joules / 3.6e6 * 0.437, rel=1e-12)


def test_what_a_pue_would_add(paper: Reproduction) -> None:
    """With the 1.58 of equation 4, which the paper does not apply."""
    assert paper.pue == 1.58
    assert [f"{row.co2e_with_pue_kg:.1f}" for row in paper.trainings] == [
        *("29.0", "35.9", "16.6", "22.4", "56.3")
    ]


def test_table_2_follows_to_the_digit_but_for_one_cell(paper: Reproduction) -> None:
    """1 - %MOS of each model; SING's does not follow from its row."""
    for row in paper.listenings:
        mos, reference, printed, loss, n_params = TABLE_2[row.inputs.model]
        assert (row.inputs.mos, row.inputs.reference_mos) == (mos, reference)
        assert (row.loss.printed, row.loss.rounded) == (printed, loss)
        assert row.loss.computed == pytest.approx((reference - mos) / reference)
        assert row.inputs.n_params == n_params
    assert [row.inputs.model for row in paper.listenings] == list(TABLE_2)
    assert dict(WITHOUT_MOS) == {"SampleRNN": 52_000_000, "GANSynth": 15_000_000}


def test_exactly_two_cells_are_marked(paper: Reproduction) -> None:
    """And each is said in words, with what follows."""
    marked = [
        (row.inputs.model, name)
        for row in paper.trainings
        for name, cell in row.cells.items()
        if not cell.follows
    ] + [(row.inputs.model, "loss") for row in paper.listenings if not row.loss.follows]
    assert marked == [("GANSynth", "co2e_kg"), ("SING", "loss")]
    slips = [note for note in paper.notes if "is printed as" in note]
    assert len(slips) == 2
    assert "14.16" in slips[0]
    assert "0.27" in slips[1]
    # 0.26 = 1 - 2.85 / 3.86.
    assert "a score of about 2.86" in slips[1]


def test_both_fronts_are_those_of_figure_3(paper: Reproduction) -> None:
    """All three models in training; in inference SING dominates WaveGAN."""
    training, inference = paper.fronts
    assert training.members == ("FloWaveNet", "SING", "WaveGAN")
    assert inference.members == ("FloWaveNet", "SING")
    assert training.agrees
    assert inference.agrees


def test_the_score_that_would_change_the_fronts_is_told(paper: Reproduction) -> None:
    """At that score FloWaveNet is on neither front, and one hundredth below, on both."""
    (note,) = [note for note in paper.notes if "hang on SING's score" in note]
    (enough,) = re.findall(r"a score of (\d\.\d\d) or more", note)
    flowavenet = 1 - 3.95 / 4.67
    assert 1 - float(enough) / 3.86 <= flowavenet < 1 - (float(enough) - 0.01) / 3.86


def test_what_was_not_checked_is_said(paper: Reproduction) -> None:
    """The scores, the numbers of parameters and the variants of the hardware."""
    said = " ".join(paper.notes)
    assert "Not checked against the models' own papers" in said
    assert "variant" in said


def test_the_models_are_points_to_compare_a_study_with(paper: Reproduction) -> None:
    """Estimated, with what is known of each; the study's own intensity turns energy into CO2e."""
    study = go.create_study()
    grid = go.Grid(carbon_intensity_g_per_kwh=56.0, source="test")
    objective = go.green_objective(grid=grid, meter=go.ReplayMeter(cpu_w=50.0), trackers=[])
    study.optimize(objective(lambda _: (0.5, 70_000_000)), n_trials=1)
    placed = {
        one.name: one for one in go.pareto_front(study, references=paper.references).references
    }
    assert list(placed) == list(TABLE_1)
    assert {one.basis for one in placed.values()} == {"estimated"}
    assert placed["SING"].status == "on the joint front"
    assert placed["FloWaveNet"].values["co2e_kg"] == pytest.approx(81.6 * 0.056)
    assert placed["GANSynth"].status == "not comparable: no quality_loss"


def test_the_inputs_have_the_rows_of_the_paper() -> None:
    """Five trainings, three of them with mean opinion scores."""
    trained = {row.model for row in TRAININGS}
    assert {row.model for row in LISTENINGS} | {name for name, _ in WITHOUT_MOS} == trained


def test_the_command_prints_the_tables_and_marks_what_does_not_follow(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """For a person: what was printed beside what follows, and the fronts."""
    assert main(["paper"]) == 0
    out = capsys.readouterr().out
    assert "15.45 * (14.16)" in out
    assert "0.26 * (0.27)" in out
    assert "35.7 (35.7)" in out
    assert out.count(" * (") == 2
    assert "0.437 kg/kWh" in out
    assert "parameters (inference): FloWaveNet, SING; as the paper has it." in out
    assert "Dominated: WaveGAN." in out


def test_a_table_that_is_no_terminal_s_is_not_cut(capsys: pytest.CaptureFixture[str]) -> None:
    """In a file or a pipe, each row is one whole line, however wide."""
    assert main(["paper"]) == 0
    rows = [line for line in capsys.readouterr().out.splitlines() if line.startswith("│")]
    assert len(rows) == 10
    assert all(line.endswith("│") for line in rows)
    assert "4 x NVIDIA P100" in rows[1]


def test_the_command_gives_json(capsys: pytest.CaptureFixture[str]) -> None:
    """For a script: numbers in the units of the data."""
    assert main(["paper", "--format", "json"]) == 0
    plain = json.loads(capsys.readouterr().out)
    cell = plain["table_1"][3]["co2e_kg"]
    assert cell == {"printed": 15.45, "computed": pytest.approx(14.1588), "follows": False}
    assert plain["fronts"]["inference"]["members"] == ["FloWaveNet", "SING"]
    assert plain["table_2"][0]["loss"]["follows"] is False
    assert plain["grid"]["carbon_intensity_g_per_kwh"] == 437.0


def test_the_command_refuses_csv(capsys: pytest.CaptureFixture[str]) -> None:
    """Two tables are no CSV."""
    assert main(["paper", "--format", "csv"]) == 2
    assert "holds no two tables" in capsys.readouterr().err


def test_the_figure_as_a_page_needs_no_internet(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Plotly comes with it; both panels have the three models."""
    page = tmp_path / "fronts.html"
    assert main(["paper", "--figure", str(page)]) == 0
    assert str(page) in capsys.readouterr().err
    text = page.read_text(encoding="utf-8")
    assert 'src="http' not in text
    assert all(name in text for name in ("FloWaveNet", "SING", "WaveGAN", "CO2e (kg)"))


def test_the_figure_as_svg_and_png(paper: Reproduction, tmp_path: Path) -> None:
    """The same figure is the same file; names are text in the SVG."""
    pytest.importorskip("matplotlib")
    first, second, png = (tmp_path / name for name in ("one.svg", "two.svg", "one.PNG"))
    for path in (first, second, png):
        save_figure(paper, path)
    svg = first.read_text(encoding="utf-8")
    assert svg == second.read_text(encoding="utf-8")
    assert svg.count(">SING<") == 2
    assert "SampleRNN" in svg
    assert png.read_bytes().startswith(b"\x89PNG\r\n")


def test_a_figure_of_another_kind_is_refused(paper: Reproduction, tmp_path: Path) -> None:
    """The message names the kinds there are; a folder that is not there is no surprise either."""
    with pytest.raises(OptionError, match=r"must end in \.html, \.png or \.svg"):
        save_figure(paper, tmp_path / "fronts.pdf")
    with pytest.raises(OptionError, match="Cannot write"):
        save_figure(paper, tmp_path / "nowhere" / "fronts.html")
