"""The keys of the configuration that say what stops trials early."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace

from green_optuna.config.given import check_taken, given_options
from green_optuna.errors import OptionError
from green_optuna.pruning import CapPruner, DominancePruner, ParetoHalvingPruner, Pruner

PRUNERS: Mapping[str, type[DominancePruner | ParetoHalvingPruner]] = {
    "dominance": DominancePruner,
    "halving": ParetoHalvingPruner,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class PrunerConfig:
    """What stops trials early: one of :data:`PRUNERS` with its options, and caps.

    Attributes:
        name: "dominance" or "halving", "none" for neither; None for what the decorator says.
        best_reachable: Dominance: the best quality that a trial can reach; None to learn it.
        min_completed: Dominance: how many completed trials it takes to learn from.
        project: Dominance: whether what a trial is still to spend counts.
        eta: Halving: one of so many trials goes on at each rung.
        min_step: Halving: the first rung.
        max_co2e_kg: The most CO2e that a trial may cost, in kg.
        max_n_params: The most parameters that its model may have.
        max_duration_s: The longest that it may take, in s.
    """

    name: str | None = None
    best_reachable: float | None = None
    min_completed: int | None = None
    project: bool | None = None
    eta: int | None = None
    min_step: int | None = None
    max_co2e_kg: float | None = None
    max_n_params: float | None = None
    max_duration_s: float | None = None

    def make(self, given: tuple[Pruner, ...]) -> tuple[Pruner, ...]:
        """Give the pruners, with those of the decorator that stay.

        Args:
            given: Those of the decorator. Its caps stay but for those that are set here; what
                else there is stays unless a name is given.

        Raises:
            OptionError: The name is unknown, or an option is not one of what it names.
        """
        options = given_options(self, without="name")
        caps = {name: options.pop(name) for name in list(options) if name.startswith("max_")}
        capping = [one for one in given if isinstance(one, CapPruner)]
        others = [one for one in given if not isinstance(one, CapPruner)]
        if caps:
            capping = [replace(one, **caps) for one in capping] or [CapPruner(**caps)]
        if self.name is not None:
            if self.name not in (*PRUNERS, "none"):
                raise OptionError(
                    f"pruner.name is {self.name!r}: give {', '.join(PRUNERS)} or none."
                )
            kind = PRUNERS.get(self.name)
            taken = [] if kind is None else [option.name for option in fields(kind)]
            check_taken(options, taken, f"the pruner {self.name!r}", "pruner.{}".format)
            others = [] if kind is None else [kind(**options)]
        elif options:
            raise OptionError(
                f"pruner.{next(iter(options))} is an option of one pruner: give pruner.name too."
            )
        return (*capping, *others)
