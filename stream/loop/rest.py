"""The last frame once more, with more steps, while the hand rests.

It goes a step at a time, beside the stream batch, which stays as it is: a frame that comes meanwhile waits for one step
at most, and what was begun here is let go of.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from torch import Tensor

from ...lora.steps import steps_of
from ..base.config import StreamConfig
from ..base.metrics import Metrics
from .batch import Finished
from .networks import Networks
from .outputs import Outputs
from .plan import Plan, Prepared, Preparer, Steps, Tag
from .schedule import spread
from .sequential import SequentialSteps


def at_rest(pipe: Any, config: StreamConfig) -> StreamConfig | None:
    """The configuration that a frame of an admitted one is rendered with at rest; None where there is none.

    It begins at the same noise, and its steps are those that the model is best in, or spread evenly over the rest.
    """
    first, total = config.t_index_list[0], config.num_inference_steps
    if (
        config.settle_steps <= len(config.t_index_list) or config.mode == "txt2img"
    ):  # from new noise it would be another
        return None
    own = steps_of(pipe, total).get(config.settle_steps, ())
    steps = own if own and own[0] == first else spread(first, config.settle_steps, total)
    if len(steps) <= len(config.t_index_list):
        return None
    return config.changed(t_index_list=steps, use_denoising_batch=False, frame_buffer_size=1)


def rest_of(
    live: StreamConfig,
    revision: int,
    preparer: Preparer,
    networks: Networks,
    make_steps: Callable[[StreamConfig], Steps],
    old: Plan | None,
) -> Plan | None:
    """The plan for the last frame of an admitted ``live`` at rest, ready, so that no stroke ever waits for it.

    ``old`` is the one before, whose steps it takes on where it can. None where nothing is rendered again.
    """
    config = at_rest(networks.pipe, live)
    if config is None:
        return None
    recipe, shape = networks.recipe(config, revision), networks.shape(config)
    steps = old.steps if old is not None and old.shape == shape else make_steps(config)
    making = networks.making(config, steps.shared.units, None).rested_from(live)
    return Plan(config, recipe, preparer, shape, steps, making)


class Rest:
    """The frame that entered last, and how far it has been rendered again. It belongs to the thread that renders."""

    def __init__(self) -> None:
        self._frame: tuple[Tag, Prepared] | None = None
        self._walk: Iterator[Tensor] | None = None
        self._left = 0  # steps

    def entered(self, tag: Tag, prepared: Prepared) -> None:
        """This is the frame that entered last."""
        self._frame, self._walk = (tag, prepared), None

    def leave(self) -> None:
        """There is none, or it has been rendered."""
        self._frame = self._walk = None

    @property
    def frame(self) -> Tag | None:
        """What is known of it."""
        return self._frame and self._frame[0]

    @property
    def waits(self) -> bool:
        """Whether there is a frame that has not been rendered again."""
        return self._frame is not None

    def step(self, plan: Plan, outputs: Outputs, metrics: Metrics) -> None:
        """One step of it under ``plan``; after the last one the picture is among ``outputs``. An unusable one is left
        out, and what was seen stays. Where a network fails, the frame is left as it was."""
        assert self._frame is not None and isinstance(plan.steps, SequentialSteps)
        tag, prepared = self._frame
        try:
            if self._walk is None:
                self._walk = plan.steps.walk(plan.entry([(tag, prepared)], plan.recipe))
                self._left = plan.recipe.steps
            with metrics.span("settle"):
                latent = next(self._walk)
            self._left -= 1
            if self._left:
                return
            shared = plan.steps.shared
            outputs.take(Finished(latent, (plan.at_rest(tag),)), shared.units.decode, metrics, shared.chain)
        except BaseException:
            self.leave()
            raise
        self.leave()
