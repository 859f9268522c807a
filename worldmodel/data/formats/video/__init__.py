"""Data sets of videos without actions, as their publishers laid them out."""
