"""Studies with names and values that are written to break a page."""

from __future__ import annotations

from typing import TYPE_CHECKING

import optuna
import pytest
from kept import kept
from optuna.distributions import CategoricalDistribution, IntDistribution
from optuna.trial import TrialState, create_trial

from green_optuna.terms import ATTRIBUTE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from optuna.trial import FrozenTrial

# Each would leave its place in HTML, in a script, in JSON or in a line of text, if it could.
HOSTILE = (
    "<script>alert(1)</script>",
    "</script><script>alert(2)</script>",
    "</SCRIPT\t>",
    "<!--",
    "-->",
    "<![CDATA[",
    "]]>",
    "<img src=x onerror=alert(3)>",
    "javascript:alert(4)",
    "\"'`",
    '" onmouseover="alert(5)',
    "' autofocus onfocus='alert(6)",
    "\\u003cscript\\u003e",
    "\\",
    "{{ 7 * 7 }}",
    "{% raw %}",
    "${alert(8)}",
    "&lt;b&gt;&amp;",
    "</title></style></textarea>",
    "\x00\x01\x08\x1b[2J\x7f\x9b",
    "\r\n\t",
    "\ud800",
    "\udfff\ud800",
    "\u2028\u2029",
    "\u202e\u2066\u200f",
    "\ufeff\u200b",
    "=HYPERLINK(1)",
    "1 - quality 5 ug",
    "__proto__",
    "constructor",
    "a|b",
    "x" * 10_000,
)


def trials_named(
    name: str, choices: Sequence[str], host: str, reason: str
) -> tuple[FrozenTrial, ...]:
    """Three trials with such a hyperparameter, the last of them pruned for a reason."""
    states = (TrialState.COMPLETE, TrialState.COMPLETE, TrialState.PRUNED)
    made = []
    for number, state in enumerate(states):
        trial = kept(0.9 - 0.1 * number, 1e-6 / (1 + number), state=state, host=host)
        trial.params = {f"0{name}": choices[number % 2], "1": number}
        trial.distributions = {
            f"0{name}": CategoricalDistribution(tuple(choices)),
            "1": IntDistribution(0, 9),
        }
        if state == TrialState.PRUNED:
            trial.user_attrs = {ATTRIBUTE: {**trial.user_attrs[ATTRIBUTE], "stopped": reason}}
        made.append(trial)
    return tuple(made)


def foreign_study(names: Sequence[str]) -> optuna.Study:
    """A study of three trials that nothing was measured of, the first two on its front."""
    study = optuna.create_study(directions=["minimize"] * len(names))
    with pytest.warns(optuna.exceptions.ExperimentalWarning):
        study.set_metric_names([*names])
    for values in ((1.0, 3.0, 4.0), (2.0, 2.0, 4.0), (3.0, 3.0, 5.0)):
        study.add_trial(
            create_trial(
                values=values[: len(names)],
                params={"x": int(values[0])},
                distributions={"x": IntDistribution(0, 9)},
            )
        )
    return study
