"""What each command of the command line does: a frozen configuration and a `run` function."""
