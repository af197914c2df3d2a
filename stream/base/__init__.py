"""The foundation: errors, frames, configuration, pacing, files. It imports no other part, and no torch."""
