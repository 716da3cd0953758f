"""Choosing a recipe: several are trained and compared on validation pictures, within limits."""

from edgecls_train.tune.cost import Cost, Limits
from edgecls_train.tune.plan import Candidate, default_recipes, plan_candidates
from edgecls_train.tune.results import Trial, Tuning
from edgecls_train.tune.tuner import Place, tune_recipes

__all__ = [
    "Candidate",
    "Cost",
    "Limits",
    "Place",
    "Trial",
    "Tuning",
    "default_recipes",
    "plan_candidates",
    "tune_recipes",
]
