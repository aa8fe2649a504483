"""Tables for print: what stands in them, in units for people, and that no text breaks out."""

from __future__ import annotations

import html
import os
import re
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kept import kept, study_of
from made import made_study
from optuna.trial import TrialState

import green_optuna as go
from green_optuna.latex import in_latex
from green_optuna.markup import in_markdown, markdown_table, one_line, shortened
from green_optuna.report.printed.table import Column, PrintTable, quantity_column, text_column
from green_optuna.report.printed.tables import MAX_PARAMS, front_table, ledger_table, rules_table
from green_optuna.report.printed.typeset import name_in_print, sentence_in_print
from green_optuna.rules import RULES
from green_optuna.runs import RunRecord
from green_optuna.units import show_quantity
from report.print_studies import HOSTILE, hostile_front, named_study, plain_study, with_params

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


# What each command of LaTeX that is written stands for: written down once more.
COMMANDS = {
    r"\textbackslash{}": "\\",
    r"\textasciicircum{}": "^",
    r"\textasciitilde{}": "~",
    r"\textless{}": "<",
    r"\textgreater{}": ">",
    r"\textbar{}": "|",
    r"\textquotesingle{}": "'",
    r"\textasciigrave{}": "`",
    r"\char34{}": '"',
    r"\textsubscript{2}": "₂",
    "$-$": "\N{MINUS SIGN}",
    "-{}": "-",
    ",{}": ",",
    **{f"\\{c}": c for c in "{}$&#_%"},
}
# Of characters that can be seen: of others, HTML knows no entity.
SEEN = st.text().map(one_line)
COMMAND = re.compile("|".join(map(re.escape, COMMANDS)))


def from_latex(text: str) -> str:
    """What LaTeX shows of a text, by the table above."""
    return COMMAND.sub(lambda found: COMMANDS[found[0]], text)


def cells_of(markdown: str) -> list[list[str]]:
    """The cells of a table in Markdown as a reader sees them, its headings first."""
    lines = [line for line in markdown.splitlines() if line.startswith("|")]
    rows = [[html.unescape(cell.strip()) for cell in line[1:-1].split("|")] for line in lines]
    return [rows[0], *rows[2:]]


def column_of(table: PrintTable, heading: str) -> tuple[str, ...]:
    """The cells below a heading."""
    (found,) = [one.cells for one in table.columns if one.heading == heading]
    return found


# Texts of others


@given(st.text())
def test_latex_shows_a_text_as_it_is(text: str) -> None:
    """Undone, the escaping gives the text back, in one line."""
    assert from_latex(in_latex(text)) == one_line(text)


@given(st.text(alphabet="\\{}$&#^_%~<>|\"'`-,*[]a ₂\N{MINUS SIGN}\n\x00"))
def test_latex_is_left_nothing_that_it_would_take_for_more(text: str) -> None:
    """Without what was written for them, no special character is there, nor two that join."""
    written = in_latex(text)
    left = COMMAND.sub("", written)
    assert not {*left} & {*"\\{}$&#^_%~<>|\"'`"}
    assert not re.search("--|,,", written)
    assert all(c.isprintable() for c in written)


@given(st.text())
def test_a_text_of_one_line_has_nothing_that_cannot_be_seen(text: str) -> None:
    """And one that was in one line, and could be seen, stays as it is."""
    line = one_line(text)
    assert line.isprintable()
    assert one_line(line) == line


def test_letters_beyond_ascii_stay() -> None:
    """LaTeX reads UTF-8, and so does Markdown."""
    text = "Größe µ ± 大きさ"
    assert in_latex(text) == text
    assert html.unescape(in_markdown(text)) == text
    assert "±" in in_markdown(text)


def test_a_long_text_is_cut_visibly() -> None:
    """At the limit, and not before."""
    assert shortened("abcdef", 6) == "abcdef"
    assert shortened("abcdefg", 6) == "abc..."


def test_a_password_is_not_printed() -> None:
    """Not even one in a URL that is cut in the middle of it."""
    url = f"postgresql://user:{'secret' * 20}@host/db"
    assert "secret" not in name_in_print(url)


def test_units_and_co2e_in_sentences_are_as_print_has_them() -> None:
    """Of numbers alone: a word is left as it is."""
    said = "Pruning saved 9.3 ug of CO2e (0.2 uWh) in 3 ums, ug."
    assert sentence_in_print(said, 100) == "Pruning saved 9.3 µg of CO₂e (0.2 µWh) in 3 ums, ug."


@given(st.lists(st.tuples(SEEN, SEEN), min_size=1))
def test_a_cell_of_markdown_stays_in_its_cell(rows: list[tuple[str, str]]) -> None:
    """Whatever the cells are, there are as many, and they read as they are."""
    lines = markdown_table(("one", "two"), rows, right=(False, True)).split("\n")
    assert lines[1] == "|---|---:|"
    found = [[html.unescape(cell.strip()) for cell in line[1:-1].split("|")] for line in lines[2:]]
    assert found == [[" ".join(cell.split()) for cell in row] for row in rows]


# Columns of quantities


def test_a_unit_that_all_cells_share_stands_in_the_heading() -> None:
    """And a zero has any unit."""
    column = quantity_column("co2e_kg", [1.23e-9, 0.0, 4.5e-8])
    assert (column.heading, column.cells) == ("CO₂e (µg)", ("1.23", "0", "45.0"))


def test_cells_of_several_units_have_each_its_own() -> None:
    """As the command line shows them."""
    column = quantity_column("co2e_kg", [1.23e-9, 4.5e-6])
    assert (column.heading, column.cells) == ("CO₂e", ("1.23 µg", "4.50 mg"))
    column = quantity_column("n_params", [900, 12_000])
    assert (column.heading, column.cells) == ("parameters", ("900", "12.0 k"))


def test_times_of_several_parts_keep_them() -> None:
    """No part of "2 min 05 s" is a unit of the whole."""
    column = quantity_column("duration_s", [125.0, 185.0])
    assert (column.heading, column.cells) == ("duration", ("2 min 05 s", "3 min 05 s"))
    assert quantity_column("duration_s", [3.4, 12.0]).heading == "duration (s)"


def test_what_is_of_a_sample_says_so() -> None:
    """In the heading, whatever the unit."""
    assert quantity_column("inference_kwh", [2e-9]).heading == "inference energy (µWh a sample)"


def test_a_column_of_nothing_and_one_without_rows() -> None:
    """Neither has a unit."""
    assert quantity_column("co2e_kg", [0.0, 0.0]).cells == ("0", "0")
    assert quantity_column("co2e_kg", []) == Column(heading="CO₂e", cells=(), right=True)


@given(st.lists(st.floats(min_value=1e-12, max_value=1e3), min_size=1, max_size=5))
def test_cell_and_heading_together_say_what_the_command_line_says(values: list[float]) -> None:
    """The number and the unit are those of ``show_quantity``, wherever the unit stands."""
    column = quantity_column("energy_kwh", values)
    (unit,) = re.findall(r"\((.*)\)", column.heading) or [""]
    for value, cell in zip(values, column.cells, strict=True):
        whole = f"{cell} {unit}" if unit else cell
        assert whole.replace("µ", "u") == show_quantity("energy_kwh", value)


@pytest.mark.parametrize(
    ("value", "low", "high", "shown"),
    [
        (0.05, 0.04, 0.06, "0.050 ± 0.010"),
        (0.05, 0.05, 0.05, "0.05 ± 0"),
        (0.05, 0.045, 0.07, "0.050 (0.045 to 0.070)"),
        (123.4, -50.0, 296.8, "123 ± 173"),
        (0.123456789, 0.123456779, 0.123456799, "0.123457 ± 1e-08"),
        (0.0, -0.2, 0.2, "0.00 ± 0.20"),
    ],
)
def test_an_interval_stands_beside_its_value(
    value: float, low: float, high: float, shown: str
) -> None:
    """With two digits of half its width, and both ends where it is lopsided."""
    interval = go.Interval(mean=value, low=low, high=high, confidence=0.95, n=3)
    assert quantity_column("quality_loss", [value], [interval]).cells == (shown,)


def test_an_interval_is_in_the_unit_of_its_value() -> None:
    """One unit a cell; in the heading where all cells share it."""
    interval = go.Interval(mean=2e-6, low=1.9e-6, high=2.1e-6, confidence=0.95, n=3)
    column = quantity_column("co2e_kg", [2e-6, 3e-6], [interval, None])
    assert (column.heading, column.cells) == ("CO₂e (mg)", ("2.00 ± 0.10", "3.00"))


# The front


def test_the_front_has_a_row_a_member_the_best_on_top() -> None:
    """With its objectives in units for people; what is chosen is marked, and said."""
    front = go.pareto_front(plain_study())
    table = front_table(front.subject("best-quality"))
    losses = front.candidates.losses
    order = sorted(front.rows, key=lambda row: losses[row, 0])
    assert [column.heading for column in table.columns] == [
        "trial",
        "1 \N{MINUS SIGN} quality",
        "CO₂e",
        "parameters",
    ]
    co2e = tuple(show_quantity("co2e_kg", losses[row, 1]) for row in order)
    assert column_of(table, "CO₂e") == tuple(one.replace("ug", "µg") for one in co2e)
    assert column_of(table, "trial") == (
        f"{order[0]}*",
        *(str(row) for row in order[1:]),
    )
    assert column_of(table, "1 \N{MINUS SIGN} quality") == tuple(
        f"{losses[row, 0]:.4g}" for row in order
    )
    assert table.notes == ("* Chosen: best quality.",)
    assert f"{len(front)} of 12 completed trials" in table.caption


def test_hyperparameters_that_differ_are_columns_six_at_most() -> None:
    """The others are named in a note: those that are the same in all, and those left out."""
    trials = [
        with_params(
            kept(0.9 - 0.1 * number, 1e-6 / (number + 1)),
            {
                "fixed": 0.123456,
                **{f"p{at}": 10 * at + number for at in range(8)},
                **({"only_of_the_first": "yes"} if number == 0 else {}),
            },
        )
        for number in range(2)
    ]
    table = front_table(go.pareto_front(study_of(trials)).subject())
    headings = [column.heading for column in table.columns]
    assert headings[4:] == [f"p{at}" for at in range(MAX_PARAMS)]
    assert column_of(table, "p3") == ("30", "31")
    assert "The same in all: fixed=0.1235." in table.notes
    assert "Left out, though they differ: p6, p7, only_of_the_first." in table.notes


def test_a_hyperparameter_that_a_member_has_not_is_an_empty_cell() -> None:
    """And it differs."""
    trials = [
        with_params(kept(0.9, 1e-6), {"momentum": 0.9}),
        with_params(kept(0.8, 1e-7), {}),
    ]
    table = front_table(go.pareto_front(study_of(trials)).subject())
    assert column_of(table, "momentum") == ("0.9", "")


def test_intervals_and_probabilities_are_there_where_they_are_known() -> None:
    """A note says what the intervals are of."""

    def of(*losses: float) -> list[RunRecord]:
        return [RunRecord(quality_loss=one, energy_kwh=1e-6, duration_s=60.0) for one in losses]

    trials = [
        kept(0.8, 3e-6, runs=of(0.1, 0.2, 0.3)),
        kept(0.9, 3e-6, runs=of(0.1, 0.1, 0.1)),
    ]
    front = go.pareto_front(study_of(trials), ("quality_loss", "co2e_kg"))
    table = front_table(front.subject())
    assert column_of(table, "1 \N{MINUS SIGN} quality")[0] == "0.1 ± 0"
    assert "With 95% confidence intervals of the mean of 3 values." in table.notes
    known = front.probabilities
    assert known is not None
    assert column_of(table, "on the front") == tuple(f"{one:.0%}" for one in known.values())


def test_an_empty_front_is_a_table_without_rows() -> None:
    """Its headings are there, in both forms."""
    study = go.create_study("little")
    table = front_table(go.pareto_front(study).subject())
    assert table.rows == []
    assert cells_of(table.to_markdown()) == [
        ["trial", "1 \N{MINUS SIGN} quality", "CO₂e", "parameters"]
    ]
    assert "\\midrule\n\\bottomrule" in table.to_latex()


# The ledger


def test_the_ledger_has_a_row_an_account_and_their_sum() -> None:
    """In units for people, with shares; the sum is apart."""
    trials = [kept(0.9, 18e-6), kept(0.8, 6e-6, state=TrialState.FAIL)]
    front = go.pareto_front(study_of(trials))
    table = ledger_table(front.subject())
    assert table is not None
    assert [column.heading for column in table.columns] == [
        "spent on",
        "trials",
        "energy (mWh)",
        "CO₂e (mg)",
        "share",
    ]
    # 1.2 of PUE and 250 g/kWh: 6e-6 kWh are 1.8 mg.
    assert table.rows[0] == ("complete", "1", "18.0", "5.40", "75.0%")
    assert table.rows[2] == ("failed", "1", "6.00", "1.80", "25.0%")
    assert table.rows[4] == ("overhead", "", "0", "0", "0.0%")
    assert table.rows[5] == ("total", "2", "24.0", "7.20", "")
    *_, before, total, _, _, _ = table.to_latex().splitlines()
    assert before == "\\midrule"
    assert total.startswith("total & 2 & ")


def test_trials_that_were_not_measured_are_said() -> None:
    """Whatever they used is in no row."""
    study = study_of([kept(0.9, 6e-6)])
    study.add_trial(named_study([(0.5, 1.0, 1.0)], ("a", "b", "c")).trials[0])
    table = ledger_table(go.pareto_front(study).subject())
    assert table is not None
    (note,) = table.notes
    assert "trial 1" in note


def test_each_table_says_that_its_co2e_is_of_another_grid() -> None:
    """A table is printed alone; without another grid none speaks of one."""
    grid = go.Grid(carbon_intensity_g_per_kwh=25.0, source="elsewhere")
    study = made_study(20)
    here, there = (go.pareto_front(study, grid=one).subject() for one in (None, grid))
    for make in (front_table, ledger_table, rules_table):
        printed, repriced = make(here), make(there)
        assert printed is not None
        assert repriced is not None
        said = " ".join(repriced.notes)
        assert said.count("is repriced from energy for 25 g/kWh (elsewhere)") == 1
        assert "repriced" not in " ".join(printed.notes)


def test_a_study_that_nobody_measured_has_no_ledger(tmp_path: Path) -> None:
    """Nobody knows what it used: a table of zeros would say otherwise."""
    front = go.pareto_front(named_study([(0.5, 1.0, 1.0)], ("a", "b", "c")))
    assert ledger_table(front.subject()) is None
    assert not [*tmp_path.glob("ledger.*")]
    assert "ledger.md" not in {path.name for path in front.save_figures(tmp_path, formats=[])}


# The rules


def test_each_rule_has_a_row_or_a_reason() -> None:
    """The choice is on top; what chooses nothing is in the notes, with why."""
    front = go.pareto_front(plain_study(), ("quality_loss", "n_params"))
    subject = front.subject("best-quality")
    table = rules_table(subject)
    assert subject.choice is not None
    assert column_of(table, "rule")[0] == "best-quality*"
    assert column_of(table, "trial")[0] == subject.choice.label
    failed = {name for name, other in subject.others.items() if isinstance(other, str)}
    assert failed
    assert {name.rstrip("*") for name in column_of(table, "rule")} | failed == {*RULES}
    for name in failed:
        assert any(note.startswith(f"{name}: ") for note in table.notes)


def test_no_choice_says_why() -> None:
    """Here the caps are met by nobody."""
    front = go.pareto_front(plain_study())
    table = rules_table(front.subject(go.MinCO2e(max_n_params=1)))
    assert any(note.startswith("No choice: ") for note in table.notes)
    assert "*" not in "".join(column_of(table, "rule"))


# Files


def test_the_table_of_the_front_is_saved_in_both_forms(tmp_path: Path) -> None:
    """As the function gives them."""
    front = go.pareto_front(plain_study())
    table = front_table(front.subject())
    assert front.save(tmp_path / "front.md").read_text(encoding="utf-8") == table.to_markdown()
    assert front.save(tmp_path / "front.tex").read_text(encoding="utf-8") == table.to_latex()


def test_latex_is_a_table_of_booktabs() -> None:
    """Caption, label, letters of the columns, rules and rows, in order."""
    table = PrintTable(
        name="some",
        caption="50 % of it.",
        columns=(
            text_column("a_b", ["[x]", "*y"]),
            text_column("said", ["z & w", ""], wraps=True),
            quantity_column("co2e_kg", [1e-6, 2e-6]),
        ),
        notes=("A {note}.",),
    )
    assert table.to_latex().splitlines() == [
        "% Needs \\usepackage{booktabs,graphicx}.",
        "% Where it comes out too small in one of two columns, make it a table*.",
        "\\begin{table}",
        "\\centering",
        "\\caption{50 \\% of it.}",
        "\\label{tab:some}",
        "\\resizebox{\\ifdim\\width>\\linewidth\\linewidth\\else\\width\\fi}{!}{%",
        "\\begin{tabular}{lp{16em}r}",
        "\\toprule",
        "a\\_b & said & CO\\textsubscript{2}e (mg) \\\\",
        "\\midrule",
        # A bracket or a star after the end of a row would belong to it.
        "{}[x] & z \\& w & 1.00 \\\\",
        "{}*y &  & 2.00 \\\\",
        "\\bottomrule",
        "\\end{tabular}}",
        "\\par\\smallskip{\\footnotesize A \\{note\\}.\\par}",
        "\\end{table}",
    ]


FRONTS: dict[str, Callable[[], go.ParetoFront]] = {
    "made": lambda: go.pareto_front(made_study(60)),
    "repeats": lambda: go.pareto_front(made_study(60, repeats=True)),
    "checkpoints": lambda: go.pareto_front(made_study(60, checkpoints=True), checkpoints=True),
    "hostile": hostile_front,
}


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="there is no pdflatex on the PATH")
@pytest.mark.parametrize("kind", FRONTS)
def test_latex_takes_each_table_and_none_is_too_wide(kind: str, tmp_path: Path) -> None:
    """In the columns of a paper, with the packages that the tables name."""
    subject = FRONTS[kind]().subject()
    made = [front_table(subject), ledger_table(subject), rules_table(subject)]
    texts = [table.to_latex() for table in made if table is not None]
    packages = {text.partition("\n")[0].removeprefix("% Needs ").rstrip(".") for text in texts}
    document = [r"\documentclass[twocolumn]{article}", *packages, r"\begin{document}", *texts]
    paper = tmp_path / "paper.tex"
    paper.write_text("\n".join([*document, r"\end{document}"]), encoding="utf-8")
    # A draft, for which no font has to be made.
    command = ["pdflatex", "-draftmode", "-interaction=nonstopmode", "-halt-on-error", paper.name]
    done = subprocess.run(
        command,
        cwd=tmp_path,
        env={**os.environ, "TEXMFVAR": str(tmp_path / "fonts")},
        capture_output=True,
        check=False,
        timeout=120,
    )
    said = done.stdout.decode(errors="replace")
    assert done.returncode == 0, said
    assert "Overfull" not in said, said


def test_markdown_is_caption_table_and_notes() -> None:
    """With a paragraph each."""
    table = PrintTable(
        name="some",
        caption="A | caption.",
        columns=(text_column("a", ["b"]), text_column("n", ["1"], right=True)),
        notes=("A note.",),
    )
    assert (
        table.to_markdown() == "A &#124; caption.\n\n| a | n |\n|---|---:|\n| b | 1 |\n\nA note.\n"
    )


@pytest.mark.parametrize("make", [front_table, rules_table])
def test_hostile_names_stay_in_their_cells(make: object) -> None:
    """Neither a tag, nor a command, nor a cell more, in whichever form; and none is endless."""
    table: PrintTable = make(hostile_front().subject())  # type: ignore[operator]
    written = table.to_markdown()
    assert "<" not in written
    assert all(len(row) == len(table.columns) for row in cells_of(written))
    latex = table.to_latex().partition("\n")[2]
    commands = {*re.findall(r"\\([a-zA-Z]+)", latex)}
    known = {*re.findall(r"\\([a-zA-Z]+)", " ".join(COMMANDS))}
    assert commands <= known | {
        *("begin", "end", "centering", "caption", "label", "linewidth", "par"),
        *("toprule", "midrule", "bottomrule", "smallskip", "footnotesize"),
        *("resizebox", "ifdim", "width", "else", "fi"),
    }
    for line in latex.splitlines():
        if line.endswith(r" \\"):
            assert len(re.findall(r"(?<!\\)&", line)) == len(table.columns) - 1
    assert max(map(len, latex.splitlines())) < 3_000


def test_hostile_names_read_as_they_are() -> None:
    """Of the study, its objectives and hyperparameters."""
    table = front_table(hostile_front().subject())
    headings = cells_of(table.to_markdown())[0]
    assert HOSTILE[0] in headings
    assert HOSTILE[1] in headings
    assert "x" * 37 + "..." in headings
    assert r"bell\x07 and \x1b[31mred lines\u202e" in headings
