"""Weights that were trained with the authors' own code, or with OpenSTL."""
