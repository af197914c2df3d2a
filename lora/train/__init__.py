"""Trainers: autoencoder, base, ControlNet, few-step distillation, LoRA."""
