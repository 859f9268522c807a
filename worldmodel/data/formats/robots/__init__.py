"""Formats of robots' recordings."""
