"""Robot logs: one file per format, windows over them and batches of clips."""
