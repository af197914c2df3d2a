"""What networks are trained on: rendered scenes, people's own pictures, and drawings of both."""
