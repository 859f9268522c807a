"""Foresight for robots: learn a video world model from robot logs and plan with it."""
