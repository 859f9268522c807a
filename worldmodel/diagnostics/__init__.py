"""What a model has learned, beyond its error."""
