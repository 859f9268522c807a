"""The one exception for what a user can mend: a wrong path, file, shape, unit or option."""


class InputError(ValueError):
    """Bad input, told in one sentence: what was expected, what came, what is available.

    The command line prints the sentence and exits with status 2.
    """
