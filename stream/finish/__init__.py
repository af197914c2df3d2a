"""A kept moment at its best: in more steps, and larger. Beside a live stream, or from a file."""
