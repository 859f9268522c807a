"""Curriculum, objective, training loop and checkpoints."""
