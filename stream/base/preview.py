"""The title by which screen captures know our own windows."""

PREVIEW_TITLE = "inkstream preview"
"""How the title of every window begins that shows our own pictures, in any case; such a window is never captured."""
