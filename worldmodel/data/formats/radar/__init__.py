"""Formats of radar pictures."""
