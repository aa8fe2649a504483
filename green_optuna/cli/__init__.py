"""The command line: ``green-optuna run``, ``front``, ``select``, and tools beside studies.

What is asked for goes to standard output; progress, logs and errors go to standard error.
Exit codes: 0 done, 1 failed, 2 wrong usage, 3 no model meets the caps, 4 this host cannot
measure, 130 stopped with Ctrl-C. ``measure`` ends with its program's, and ``doctor`` with 4 also
where energy can only be estimated.
"""

from __future__ import annotations

import sys
import traceback
from typing import TYPE_CHECKING, Annotated, Any

import typer

from green_optuna.cli import fronts, report, tools
from green_optuna.cli.deploy import (
    AliasOption,
    CardOption,
    Deployment,
    MlflowUriOption,
    RegisterOption,
)
from green_optuna.cli.options import (
    AllowMixedOption,
    AssumeExactOption,
    CheckpointsOption,
    ConfigDirOption,
    ConfigNameOption,
    FormatOption,
    StorageOption,
    StudyArgument,
)
from green_optuna.cli.privacy import without_secrets
from green_optuna.cli.render import Format
from green_optuna.cli.spelling import amounts, flag, key, names_in, rule_options
from green_optuna.errors import (
    GreenOptunaError,
    MeterError,
    NoModelMeetsCapsError,
    OptionError,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Exit codes: 0 done, 1 failed, 2 wrong usage, 3 no model meets the caps, "
    "4 this host cannot measure, 130 stopped with Ctrl-C.",
)

# UsageError, of which Typer has no public name: it is click's in older versions, a copy in newer.
_USAGE_ERROR: Any = typer.BadParameter.__mro__[1]


def _show_version(asked: bool) -> None:
    if asked:
        from importlib.metadata import PackageNotFoundError, version

        try:
            typer.echo(f"green-optuna {version('green_optuna')}")
        except PackageNotFoundError:
            typer.echo("green-optuna, not installed")
        raise typer.Exit


@app.callback()
def _callback(
    *,
    _version: Annotated[
        bool,
        typer.Option(
            "--version", is_eager=True, callback=_show_version, help="Show the version and exit."
        ),
    ] = False,
) -> None:
    """Hyperparameter search that measures what each trial costs the climate."""


@app.command()
def run(
    *,
    overrides: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="KEY=VALUE",
            help="What to change in the configuration, such as "
            "objective=train.py:objective grid.country=FRA study.n_trials=50.",
        ),
    ] = None,
    config_name: ConfigNameOption = "config",
    config_dir: ConfigDirOption = None,
    estimate: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            min=2,
            help="Run N trials only, say what study.n_trials of them will probably cost (energy, "
            "CO2e, time, with 90% intervals), and stop. The N trials are part of the study, which "
            "the same command without --estimate resumes.",
        ),
    ] = None,
) -> None:
    """Run a study, then show its Pareto front and the model that the rule selects."""
    from green_optuna.cli.run import run_study
    from green_optuna.config import load_config

    config = load_config(overrides or (), config_name=config_name, config_dir=config_dir)
    raise typer.Exit(run_study(config, estimate=estimate))


app.command()(fronts.front)


@app.command()
def select(
    *,
    study: StudyArgument = None,
    storage: StorageOption = None,
    rule: Annotated[
        str,
        typer.Option(
            metavar="RULE",
            help="tolerance, epsilon-constraint, min-co2e, best-quality, lexicographic, "
            "weighted-sum, utopia, knee, contribution, or path/to/file.py:function for a figure "
            "of your own.",
        ),
    ] = "tolerance",
    tolerance: Annotated[
        float | None,
        typer.Option(help="tolerance: share of the best quality to give up; 0.01 unless given."),
    ] = None,
    absolute: Annotated[
        float | None,
        typer.Option(help="tolerance: or an amount of quality, on the scale from 0 to 1."),
    ] = None,
    minimise: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="tolerance, epsilon-constraint: what is made least; co2e_kg unless given.",
        ),
    ] = None,
    caps: Annotated[
        list[str] | None,
        typer.Option(
            "--max",
            metavar="NAME=MOST",
            help="Any rule: the most allowed of an objective, in its unit; may come several times.",
        ),
    ] = None,
    max_co2e_kg: Annotated[
        float | None, typer.Option(help="best-quality: the most CO2e allowed, in kg.")
    ] = None,
    max_quality_loss: Annotated[
        float | None, typer.Option(help="min-co2e: the most quality loss allowed, from 0 to 1.")
    ] = None,
    max_n_params: Annotated[
        float | None, typer.Option(help="best-quality, min-co2e: the most parameters allowed.")
    ] = None,
    order: Annotated[
        str | None,
        typer.Option(
            metavar="A=SHARE,B",
            help="lexicographic: objectives, the most important first, each with the share of its "
            "best to give up; quality_loss=0.01,co2e_kg unless given.",
        ),
    ] = None,
    weights: Annotated[
        list[str] | None,
        typer.Option(
            "--weight",
            metavar="NAME=WEIGHT",
            help="weighted-sum, utopia: an objective's weight, 1 unless given; may come several "
            "times.",
        ),
    ] = None,
    scale: Annotated[
        str | None,
        typer.Option(
            metavar="SCALE",
            help="weighted-sum, utopia, knee, contribution: linear, log or rank; linear unless "
            "given.",
        ),
    ] = None,
    p: Annotated[
        float | None, typer.Option("--p", help="utopia: distance 1, 2 or inf; 2 unless given.")
    ] = None,
    objectives: Annotated[
        str | None,
        typer.Option(
            metavar="A,B", help="knee: two objectives; quality_loss,co2e_kg unless given."
        ),
    ] = None,
    reference: Annotated[
        float | None,
        typer.Option(
            help="contribution: the reference point on each axis, on which the worst trial is 1; "
            "1.1 unless given."
        ),
    ] = None,
    why: Annotated[
        bool, typer.Option("--why", help="Also why each other trial of the front was not selected.")
    ] = False,
    checkpoints: CheckpointsOption = False,
    min_probability: Annotated[
        float | None,
        typer.Option(
            metavar="P",
            help="Select among the trials alone that are on the front with at least this "
            "probability, as far as repeats tell.",
        ),
    ] = None,
    register: RegisterOption = None,
    alias: AliasOption = None,
    card: CardOption = None,
    mlflow_uri: MlflowUriOption = None,
    allow_mixed: AllowMixedOption = False,
    assume_exact: AssumeExactOption = False,
    output: FormatOption = Format.table,
) -> None:
    """Select one model of a study's Pareto front."""
    from green_optuna.cli.show import show_selection
    from green_optuna.config import RuleConfig

    config = RuleConfig(
        name=rule,
        relative=tolerance,
        absolute=absolute,
        minimise=minimise,
        caps=amounts("--max", caps),
        max_co2e_kg=max_co2e_kg,
        max_quality_loss=max_quality_loss,
        max_n_params=max_n_params,
        order=amounts("--order", names_in(order), default=0.0),
        weights=amounts("--weight", weights),
        scale=scale,
        p=p,
        objectives=names_in(objectives),
        reference=reference,
    )
    deploy = Deployment(register=register, alias=alias, card=card, mlflow_uri=mlflow_uri)
    with rule_options(flag):
        made = config.make(spell=flag)
        show_selection(
            study,
            storage,
            made,
            why=why,
            checkpoints=checkpoints,
            min_probability=min_probability,
            allow_mixed=allow_mixed,
            assume_exact=assume_exact,
            output=output,
            deploy=deploy,
        )


app.command()(report.report)
app.command(
    # From the program's name on, all that follows is its own.
    context_settings={"allow_interspersed_args": False},
    epilog="Exit codes: the program's own; 127 if it is not found, 126 if it cannot be executed, "
    "2 wrong usage, 4 this host cannot measure.",
)(tools.measure)
app.command()(tools.estimate)
app.command()(tools.paper)
app.command(
    epilog="Exit codes: 0 hardware measures the processor or a GPU, 4 it does not (trials are then "
    "estimated, where no fault is shown), 2 wrong usage.",
)(tools.doctor)
app.command()(tools.sync)
app.command()(tools.repeat)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Args:
        arguments: What follows the command's name; ``sys.argv`` unless given.

    Returns:
        The exit code.
    """
    given = sys.argv[1:] if arguments is None else list(arguments)
    try:
        code = app(args=given, prog_name="green-optuna", standalone_mode=False)
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else 1
    except typer.Abort:
        return 130
    except Exception as error:
        if said := _said(error):
            typer.echo(without_secrets(said, given), err=True)
        return _exit_code(error)
    return code if isinstance(code, int) else 0


def _said(error: Exception) -> str:
    """Give an error of the library in one line, and the user's own with its traceback."""
    if isinstance(error, _USAGE_ERROR):
        # Empty where the help has been shown instead, for want of a command.
        said = " ".join(error.format_message().split())
        command = error.ctx.command_path if error.ctx else "green-optuna"
        unknown = getattr(error, "option_name", None)
        if command.endswith(" run") and unknown and (meant := key(unknown)):
            said = f"{said.rstrip('.')}; write {meant}=... instead."
        said += "." if said and said[-1] not in ".?!" else ""
        return said and f"error: {said} See {command} --help."
    if isinstance(error, GreenOptunaError):
        return f"error: {' '.join(str(error).split())}"
    trace = _inside_the_objective(error.__traceback__)
    return "".join(traceback.format_exception(type(error), error, trace)).rstrip()


def _inside_the_objective(trace: TracebackType | None) -> TracebackType | None:
    """Leave out the calls that lead to the user's function, where the trace reaches one."""
    first = step = trace
    while step is not None:
        if step.tb_frame.f_globals.get("__name__") == "green_optuna.objective":
            first = step.tb_next or first
        step = step.tb_next
    return first


def _exit_code(error: Exception) -> int:
    if isinstance(error, OptionError | _USAGE_ERROR):
        return 2
    if isinstance(error, NoModelMeetsCapsError):
        return 3
    return 4 if isinstance(error, MeterError) else 1
