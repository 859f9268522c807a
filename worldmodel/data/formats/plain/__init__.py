"""Folders of arrays or videos that follow no format of their own."""
