"""For a hosted demo (a Space, say): a sheet to draw on, and the render beside it, which follows every stroke.

pip install "inkstream[gradio]"
python examples/gradio_space.py
"""

import threading
from contextlib import suppress

import numpy as np

from inkstream.stream import FrameError, Stream, as_rgb, load_config

SIDE = 512  # of the sheet in the browser
LONGEST_PROMPT = 300
PROMPT = "a glossy red coupe car, side view, on road, day"


class Demo:
    """One model for all visitors. Whoever draws waits for one picture at most."""

    def __init__(self, preset: str = "ink-tiny") -> None:
        run = load_config(preset)
        self.stream = Stream.from_pretrained(run.model, run.stream)
        self.one = threading.Lock()

    def render(self, sheet: dict | None, prompt: str, seed: float, influence: float) -> np.ndarray | None:
        """The render of what ``gr.Sketchpad`` gives, (H, W, 3) uint8; None for a sheet that cannot be read."""
        try:
            drawing = as_rgb(sheet["composite"]) if sheet else np.full((SIDE, SIDE, 3), 255, np.uint8)
        except FrameError:
            return None
        if max(drawing.shape) > 2 * SIDE:  # nobody's browser sends that
            return None
        prompt = str(prompt)[:LONGEST_PROMPT]
        with self.one:
            with suppress(ValueError):  # half a bracket: the words that there were stay
                self.stream.update(prompt=prompt, seed=int(seed), drawing_influence=float(influence))
            shown = [self.stream(drawing, gated=False), *self.stream.drain()]  # at once, or when it has come through
            return next(output.pixels for output in reversed(shown) if output is not None)


def build(demo: Demo):
    """The page. Of what waits the newest is rendered, and all else left out."""
    import gradio as gr

    with gr.Blocks(title="inkstream", analytics_enabled=False) as page:
        gr.Markdown("# inkstream\nDraw a car, a house, a landscape. The render follows your pen.")
        with gr.Row():
            pen = gr.Brush(default_size=6, colors=["#181818", "#c0392b", "#2e86c1", "#2e7d32"], color_mode="fixed")
            sheet = gr.Sketchpad(
                label="Draw here: take the pencil at the left",
                canvas_size=(SIDE, SIDE),
                height=SIDE + 120,
                brush=pen,
                layers=False,
                type="numpy",
                image_mode="RGBA",
            )
            render = gr.Image(label="Render", height=SIDE + 120, type="numpy", format="jpeg", interactive=False)
        prompt = gr.Textbox(PROMPT, label="What it shall be", max_length=LONGEST_PROMPT)
        with gr.Row():
            seed = gr.Slider(0, 1000, 0, step=1, label="Seed")
            influence = gr.Slider(0, 100, 50, label="Influence of the drawing")
        asked = [sheet, prompt, seed, influence]
        gr.on(
            [each.change for each in asked],
            demo.render,
            asked,
            render,
            trigger_mode="always_last",
            concurrency_limit=1,
            show_progress="hidden",
        )
    return page.queue(max_size=16)


def main(**options) -> None:
    """Serve it; nothing of this computer's files can be asked for, and nobody uploads more than a drawing."""
    build(Demo()).launch(max_file_size="2mb", allowed_paths=[], **options)


if __name__ == "__main__":
    main()
