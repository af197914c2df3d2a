"""TensorRT 10.12 and later, and 11. Unverified on real hardware."""
