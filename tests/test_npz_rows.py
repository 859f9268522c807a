"""Rows of arrays in npz files: from marks, checked, and never more than the file holds."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest

from worldmodel.data.files import npz_rows
from worldmodel.data.files.npz_rows import NpzArray
from worldmodel.errors import InputError

VALUES = np.random.default_rng(0).integers(0, 9, (50, 40, 50)).astype(np.int16)


@pytest.fixture(params=["deflated", "stored"])
def path(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A file of the values, and of something before and after them."""
    save = np.savez_compressed if request.param == "deflated" else np.savez
    save(tmp_path / "a.npz", before=np.arange(9), values=VALUES, after=np.ones(3))
    return tmp_path / "a.npz"


@pytest.mark.parametrize("every", [1, 2**15, 2**30])
def test_rows_are_those_that_numpy_reads(
    path: Path, every: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(npz_rows, "MARK_EVERY", every)
    array = NpzArray(path, "values")
    assert (array.shape, array.dtype) == (VALUES.shape, VALUES.dtype)
    for rows in (range(50), range(49, 50), range(3, 8), range(20, 47), range(1)):
        np.testing.assert_array_equal(array.rows(rows), VALUES[rows.start : rows.stop])


@pytest.mark.parametrize("rows", [range(-1, 2), range(49, 51)])
def test_rows_that_are_not_there_are_refused(path: Path, rows: range) -> None:
    with pytest.raises(InputError, match="expected some of 50 rows"):
        NpzArray(path, "values").rows(rows)


def test_arrays_that_are_not_there_are_refused_with_those_that_are(path: Path) -> None:
    with pytest.raises(InputError, match=r"^no array 'rain'; available: before, values, aft"):
        NpzArray(path, "rain")


def test_one_wrong_bit_is_noticed(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 4
    path.write_bytes(data)
    with pytest.raises(InputError, match=r"^values: damaged"):
        NpzArray(path, "values").rows(range(2))
    np.testing.assert_array_equal(NpzArray(path, "before").rows(range(9)), np.arange(9))


@pytest.mark.parametrize("shape", [(50, 2**30, 50), (10, 40, 50), (-50, -40, 50), ()])
def test_shapes_that_the_file_does_not_hold_are_refused(
    tmp_path: Path, shape: tuple[int, ...]
) -> None:
    with (
        zipfile.ZipFile(tmp_path / "a.npz", "w") as archive,
        archive.open("values.npy", "w") as file,
    ):
        header = {"descr": "<i2", "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(file, header)
        file.write(VALUES.tobytes())
    with pytest.raises(InputError, match="expected an array in C order that fills"):
        NpzArray(tmp_path / "a.npz", "values")


def test_arrays_in_the_order_of_fortran_are_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", values=np.asfortranarray(VALUES))
    with pytest.raises(InputError, match="C order"):
        NpzArray(tmp_path / "a.npz", "values")


@pytest.mark.parametrize("header", [b"", b"{", b"{'descr': 'x", b"(" * 300, b"{1: 2, 'a': 3}"])
def test_headers_that_are_none_are_refused(tmp_path: Path, header: bytes) -> None:
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        length = len(header).to_bytes(2, "little")
        archive.writestr("values.npy", b"\x93NUMPY\x01\x00" + length + header)
    with pytest.raises(InputError, match=r"^values: no readable npy header"):
        NpzArray(tmp_path / "a.npz", "values")
