"""``inkstream bench``: what the program measures about itself. A bench is a module of ``inkstream.bench``."""

from __future__ import annotations

import importlib

import typer

app = typer.Typer(no_args_is_help=True, help="Measure this computer with inkstream's own benches.")

# module of inkstream.bench -> what it measures; its ``main`` is a function with options, as ``typer`` takes it
BENCHES = {
    "loop": "What the live loop itself costs, without a network.",
    "changes": "What a change of prompt, scales, guidance or seed costs while frames are rendered.",
    "fps": "Frames per second: engines, steps, guidances, sizes, ControlNets.",
    "compare": "Our loop against streamdiffusion 0.1.1 and plain diffusers, taking turns.",
    "paper": "StreamDiffusion's published tables, as ratios beside the published ones.",
    "scale": "What a frame costs with more sessions, size, steps, ControlNets and regions.",
    "cluster_sim": "How many can draw at workers of a cluster, by simulation: users, places, cells, costs.",
    "together": "What several drawings cost: in processes of their own, in one process, and in one batch.",
    "start": "From the command to the first window and the first render, warm and in a fresh home (X11).",
    "latency": "From the stroke to the changed pixel in the preview, with every stage (X11).",
    "pen": "From the pen to ink and render on the studio's page, in a real browser.",
    "influence": "What each quarter of the influence of the drawing changes, and which lines stay.",
    "steadiness": "What changes in pictures where nothing changed, or only moved, with and without steadiness.",
    "fidelity": "How near every engine's pictures are to those of eager float32.",
    "torch_vs_trt": "The fastest engine there is against torch: fps, latency, memory.",
    "goals": "The speed goals on an NVIDIA GPU: floor, gate, target, and what is reached.",
    "soak": "A long session: memory slope, drift of the frame rate, p99 over p50.",
}


def _add(name: str, purpose: str) -> None:
    def bench(context: typer.Context) -> None:
        inner = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
        inner.command()(importlib.import_module(f"....bench.{name}", __package__).main)
        code = inner(list(context.args), prog_name=context.command_path, standalone_mode=False)
        if code:
            raise typer.Exit(code)

    # The bench is imported, with all that it needs, when it runs; so it explains its options itself.
    passed_on = {"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []}
    app.command(name, help=purpose, add_help_option=False, context_settings=passed_on)(bench)


for _name, _purpose in BENCHES.items():
    _add(_name, _purpose)
