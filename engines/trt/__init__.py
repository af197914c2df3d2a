"""TensorRT 10.12 and later, and 11. Not verified on hardware yet; see docs/engines.md."""
