"""Two networks share a built engine only where nothing that decides their graph differs."""

from doubles.tiny_models import tiny_sd

from inkstream.engines import fingerprint
from inkstream.engines.fingerprint import weights_digest
from inkstream.engines.units import Embed, Encode


def graph_digest(module, **more):
    return fingerprint.graph_digest(module, ("units.py",), **more)


def test_the_order_of_channels_is_part_of_the_graph():
    pipe = tiny_sd(controlnets=1)
    unit = Embed([pipe.controlnet])
    before = graph_digest(unit)
    assert before == graph_digest(Embed([pipe.controlnet]))
    unit.flipped = (True,)  # no module and no configuration says so
    assert graph_digest(unit) != before


def test_the_scale_of_latents_is_part_of_the_graph():
    pipe = tiny_sd()
    unit = Encode(pipe.vae)
    before = graph_digest(unit)
    unit.scale *= 2
    assert graph_digest(unit) != before


def test_the_code_and_the_libraries_are_part_of_the_graph():
    unit = Encode(tiny_sd().vae)
    digests = {
        fingerprint.graph_digest(unit, ("units.py",)),
        fingerprint.graph_digest(unit, ("units.py", "export.py")),
        fingerprint.graph_digest(unit, ("units.py",), ("numpy",)),
    }
    assert len(digests) == 3


def test_weights_do_not_change_the_graph_but_their_own_digest():
    one, two = (Encode(tiny_sd(seed=seed).vae) for seed in (0, 1))
    assert graph_digest(one) == graph_digest(two)
    assert weights_digest(one) != weights_digest(two)
