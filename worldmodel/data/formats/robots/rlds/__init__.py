"""RLDS."""
