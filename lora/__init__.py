"""Weights: models from folders, hub ids and files; LoRAs loaded, fused and switched live."""
