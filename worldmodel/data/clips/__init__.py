"""From recordings to batches of clips."""
