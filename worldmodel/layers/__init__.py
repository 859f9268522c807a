"""Recurrent cells, frame codecs and action fusion."""
