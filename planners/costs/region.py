"""Rectangles of a picture, whatever its size."""

from __future__ import annotations

from worldmodel.errors import InputError
from worldmodel.planners.costs.options import is_listed, is_number

Region = tuple[float, float, float, float]
"""Top, left, bottom and right, as shares of height and width in [0, 1]."""


def check_region(region: Region, option: str) -> None:
    """Refuse what is no rectangle within the picture.

    Raises:
        InputError: Names the option and what it is.
    """
    if not _is_rectangle(region):
        raise InputError(
            f"{option}: expected top, left, bottom, right as shares of the picture, "
            f"0 <= top < bottom <= 1 and 0 <= left < right <= 1, got {region!r:.80}"
        )


def _is_rectangle(region: Region) -> bool:
    if not is_listed(region) or len(region) != 4 or not all(map(is_number, region)):
        return False
    top, left, bottom, right = region
    return 0 <= top < bottom <= 1 and 0 <= left < right <= 1


def pixels_of(region: Region, height: int, width: int, option: str) -> tuple[slice, slice]:
    """Rows and columns of a picture that a rectangle covers, its edges at the nearest pixels.

    Raises:
        InputError: It covers no pixel.
    """
    top, left, bottom, right = region
    rows = slice(round(top * height), round(bottom * height))
    columns = slice(round(left * width), round(right * width))
    if rows.start == rows.stop or columns.start == columns.stop:
        raise InputError(
            f"{option}: expected a rectangle that covers pixels of {height} x {width}, got {region}"
        )
    return rows, columns
