"""YAML presets that ship with the package, one per use."""
