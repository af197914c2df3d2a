"""From a configuration to a plan: everything that a change prepares while the batch goes on as it was."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial
from typing import Any

from ..base.config import StreamConfig
from .networks import Networks
from .noise import SeedNoise
from .plan import Plan, Preparer, Steps, make_steps
from .rest import rest_of


class Planner:
    """Makes plans on the networks of one pipeline."""

    def __init__(
        self, networks: Networks, noise: SeedNoise, span: Callable[[str], AbstractContextManager[Any]]
    ) -> None:
        """``span`` times a stage of what the plans run."""
        self._networks, self._noise, self._span = networks, noise, span

    def plan(self, config: StreamConfig, old: Plan | None, only: bool = False) -> Plan:
        """What a configuration that comes after ``old`` (None: the first) is rendered with; ``only``: see
        ``Networks.load``. Raises ConfigError, ModelError, LoraError or EngineError, and then nothing has changed."""
        networks, before = self._networks, old.config if old else None
        config = networks.admit(config, before)  # this and the next refuse what needs no loading to be wrong
        schedule = networks.schedule(config)
        preparer = Preparer(config, networks.influence(config).ink, networks.scale_factor)
        with networks.all_or_nothing():
            networks.load(config, before, only)
            recipe = networks.recipe(config, old.recipe.revision + 1 if old else 0, schedule)
            shape = networks.shape(config)
            steps = old.steps if old is not None and old.shape == shape else self.steps(config)
            making = networks.making(config, steps.shared.units, old.making if old else None)
            at_rest = partial(self.steps, steady=False)
            rest = rest_of(config, recipe.revision, preparer, networks, at_rest, old.rest if old else None)
            return Plan(
                config,
                recipe,
                preparer,
                shape,
                steps,
                making,
                rest,
                networks.prompts.guessing if config.guesses else None,
            )

    def steps(self, config: StreamConfig, steady: bool = True) -> Steps:
        """What runs the steps of an admitted configuration, see ``make_steps``."""
        return make_steps(config, self._networks, self._noise, self._span, steady)
