"""Curriculum, loss, training loop and the states that a run goes on from."""
