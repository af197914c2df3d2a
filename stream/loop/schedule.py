"""Timesteps and coefficients of the steps that a frame goes through.

One step takes x_t to an estimate of the clean latent, ``x0 = c_out (x_t - b eps) / a + c_skip x_t``, and noises that to
the next step's level, ``x_s = a_s x0 + b_s noise``, with ``a = sqrt(alpha_bar_t)`` and ``b = sqrt(1 - alpha_bar_t)``.
``lcm`` uses the boundary condition of consistency models (arXiv 2310.04378, section 3) for c_skip and c_out, and its
timesteps; ``turbo`` takes the estimate as it is (arXiv 2311.17042) on timesteps spaced from the last.
"""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

import torch
from diffusers import LCMScheduler
from torch import Tensor

from ..base.errors import ConfigError, ModelError
from ..base.names import short

MOST_SCALING = 1e6
# Below this, sqrt(alpha_bar) divides float32 noise up to visible size; schedules with zero terminal SNR start there.
SMALLEST_ALPHA_BAR = 2.0**-24


class Schedule(NamedTuple):
    """Coefficients of K steps: ``timestep`` (K,), the others (K, 1, 1, 1) float32."""

    timestep: Tensor
    a: Tensor
    b: Tensor
    c_skip: Tensor
    c_out: Tensor
    a_next: Tensor  # of the step after; 1 after the last
    b_next: Tensor


def scheduler_of(config: Any) -> LCMScheduler:
    """What ``make_schedule`` reads the betas from, for the configuration of a pipeline's own scheduler.

    Raises ModelError for a scheduler that has no betas (EDM, flow matching), or betas that make no schedule.
    """
    name = str(config.get("_class_name", "scheduler"))[:60]
    has_betas = {"beta_start", "beta_end", "beta_schedule"} <= config.keys() or config.get("trained_betas") is not None
    if not has_betas or config.get("use_flow_sigmas") or name.startswith(("EDM", "FlowMatch")):
        raise ModelError(
            f"got a model with {name}, whose noise has no betas (EDM and flow matching have none), expected one such "
            f"as DDIMScheduler; use a base model of Stable Diffusion 1.x, 2.x or SDXL"
        )
    total, original = config.get("num_train_timesteps", 1000), config.get("original_inference_steps", 50)
    if not (isinstance(total, int) and isinstance(original, int) and 1 <= original <= total <= 100_000):
        raise ModelError(
            f"{name}: got original_inference_steps {short(original)} and num_train_timesteps {short(total)}, "
            f"expected 1 or more, and no more of the first than of the second"
        )
    scaling = config.get("timestep_scaling", 10.0)
    if not (type(scaling) in (int, float) and 0 <= scaling <= MOST_SCALING):
        raise ModelError(f"{name}: timestep_scaling: got {short(scaling)}, expected 0 to {MOST_SCALING:g}; LCM has 10")
    try:
        # Where a scheduler kept its own defaults, LCM's are not meant.
        scheduler: Any = LCMScheduler.from_config({k: v for k, v in config.items() if k != "_use_default_values"})
    except (NotImplementedError, TypeError, ValueError, RuntimeError) as error:
        raise ModelError(
            f"{name}: got betas from {str(config.get('beta_start'))[:20]} to {str(config.get('beta_end'))[:20]}, "
            f"schedule {str(config.get('beta_schedule'))[:40]!r}, "
            f"trained_betas {str(config.get('trained_betas'))[:40]}; "
            f"expected betas from 0 to 1, linear, scaled_linear or squaredcos_cap_v2"
        ) from error
    kept = scheduler.alphas_cumprod
    if not (torch.isfinite(kept).all() and (kept >= 0).all() and (kept <= 1).all() and (kept.diff() <= 0).all()):
        raise ModelError(f"{name}: its betas give no noise that grows from step to step, expected betas from 0 to 1")
    return scheduler


def make_schedule(
    scheduler: LCMScheduler,
    rule: Literal["lcm", "turbo"],
    t_index_list: tuple[int, ...],
    num_inference_steps: int,
    device: torch.device | str = "cpu",
) -> Schedule:
    """Coefficients for the timesteps that ``t_index_list`` picks from the list of ``num_inference_steps``.

    ``scheduler`` has the betas of the pipeline's own scheduler, see ``scheduler_of``.
    Raises ConfigError when the list cannot be that long.
    """
    timesteps = _timesteps(scheduler, rule, num_inference_steps)[list(t_index_list)]  # (K,)
    alpha_bar = scheduler.alphas_cumprod[timesteps].clamp(min=SMALLEST_ALPHA_BAR)  # (K,)
    a, b = alpha_bar.sqrt(), (1 - alpha_bar).sqrt()
    if rule == "lcm":
        boundary: Any = scheduler.get_scalings_for_boundary_condition_discrete  # it is annotated for one timestep
        c_skip, c_out = boundary(timesteps)
    else:
        c_skip, c_out = torch.zeros_like(a), torch.ones_like(a)
    one = torch.ones(1)
    a_next, b_next = torch.cat([a[1:], one]), torch.cat([b[1:], one])
    columns = (c.float().view(-1, 1, 1, 1).to(device) for c in (a, b, c_skip, c_out, a_next, b_next))
    return Schedule(timesteps.to(device), *columns)


def _timesteps(scheduler: LCMScheduler, rule: Literal["lcm", "turbo"], count: int) -> Tensor:
    settings: Any = scheduler.config
    total = settings.num_train_timesteps
    if rule == "turbo":
        if count > total:
            raise ConfigError(
                f"num_inference_steps: got {count}, expected at most {total}: the model has no more steps"
            )
        return torch.arange(total, 0, -total / count).round().long()[:count] - 1
    if count > settings.original_inference_steps:
        raise ConfigError(
            f"num_inference_steps: got {count}, expected at most {settings.original_inference_steps}, "
            f"the length of the schedule that LCM was distilled on"
        )
    scheduler.set_timesteps(count)
    return scheduler.timesteps


def influenced(t_index_list: tuple[int, ...], num_inference_steps: int, drawing_influence: float) -> tuple[int, ...]:
    """Move the step indices towards the input (above 50) or towards noise (below 50); 50 leaves them.

    The indices stay strictly increasing and inside the list, so the number of steps is the same.
    """
    last, toward = num_inference_steps - 1, drawing_influence / 50.0
    if toward <= 1.0:
        moved = [index * toward for index in t_index_list]
    else:
        moved = [index + (last - index) * (toward - 1.0) for index in t_index_list]
    result: list[int] = []
    for place, index in enumerate(moved):
        lowest = result[-1] + 1 if result else 0
        highest = last - (len(moved) - 1 - place)
        result.append(min(max(round(index), lowest), highest))
    return tuple(result)


def spread(first: int, steps: int, total: int) -> tuple[int, ...]:
    """``steps`` indices from ``first`` on, evenly over the rest of ``total``, as LCM spaces them; fewer where there is
    no room for so many."""
    steps = min(steps, total - first)
    return tuple(first + place * (total - first) // steps for place in range(steps))
