"""Selection rules: from the members of a Pareto front to the one that is chosen.

A rule is a frozen object: made with its options, compared, recorded, and applied to any front.
Every objective is minimised, and a loss may be +inf (a trial that diverged). Of objectives whose
names it knows (``quality_loss``, from 0, the best, to 1, ``co2e_kg``, ``n_params``...), a rule
speaks in words.

Ties are settled alike by every rule, in this order:

1. the rule's own figure, the lower the better (each rule says what it is);
2. the lower losses, objective by objective, in the order of ``names``;
3. the earlier row.

Where rounding could turn a comparison (a loss against its limit, a sum of two scaled losses),
``ROUNDING`` is allowed for.
"""

from green_optuna.rules.catalogue import RULES, as_rule, rule_by_name
from green_optuna.rules.constraint import BestQuality, Capped, EpsilonConstraint, MinCO2e
from green_optuna.rules.contribution import Contribution
from green_optuna.rules.custom import Custom, Figure
from green_optuna.rules.knee import Knee
from green_optuna.rules.lexicographic import Lexicographic
from green_optuna.rules.ranking import Limit, Ranking
from green_optuna.rules.rows import ROUNDING, Rows
from green_optuna.rules.rule import Rule
from green_optuna.rules.scale import Scale
from green_optuna.rules.tolerance import Tolerance
from green_optuna.rules.weighted import Utopia, WeightedSum

__all__ = [
    "ROUNDING",
    "RULES",
    "BestQuality",
    "Capped",
    "Contribution",
    "Custom",
    "EpsilonConstraint",
    "Figure",
    "Knee",
    "Lexicographic",
    "Limit",
    "MinCO2e",
    "Ranking",
    "Rows",
    "Rule",
    "Scale",
    "Tolerance",
    "Utopia",
    "WeightedSum",
    "as_rule",
    "rule_by_name",
]
