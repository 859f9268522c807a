"""The file format of MNIST."""

import gzip
from pathlib import Path

import pytest

from worldmodel.data.files.idx import read_idx
from worldmodel.errors import InputError


@pytest.mark.data
def test_real_digits(data: Path) -> None:
    digits = read_idx(data / "mnist" / "t10k-images-idx3-ubyte.gz")
    assert digits.shape == (10_000, 28, 28)
    assert digits.max() == 255
    labels = read_idx(data / "mnist" / "t10k-labels-idx1-ubyte.gz")
    assert labels[:5].tolist() == [7, 2, 1, 0, 4]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\0\0\x08\x01\0\0\0\x03ab", r"declares \(3,\), that is 3 bytes, and holds 2"),
        (b"\0\0\x0d\x01\0\0\0\x03abc", "IDX file of unsigned bytes"),
        (b"\0\0\x08\x03\0\0", "declares"),
        (b"\0\0\x08\x03" + b"\xff" * 12, "declares"),
        (b"\0\0\x08\xff" + b"\0\0\0\x01" * 255 + b"a", "IDX file of unsigned bytes"),
        (b"", "IDX file of unsigned bytes"),
    ],
)
def test_damaged_files_are_named(tmp_path: Path, content: bytes, message: str) -> None:
    for path, stored in (("digits", content), ("digits.gz", gzip.compress(content))):
        (tmp_path / path).write_bytes(stored)
        with pytest.raises(InputError, match=message):
            read_idx(tmp_path / path)


def test_a_cut_gzip_file_and_a_missing_one_are_named(tmp_path: Path) -> None:
    (tmp_path / "cut.gz").write_bytes(gzip.compress(b"\0\0\x08\x01\0\0\0\x03abc")[:-9])
    with pytest.raises(InputError, match="damaged gzip file"):
        read_idx(tmp_path / "cut.gz")
    with pytest.raises(InputError, match="no such file"):
        read_idx(tmp_path / "nothing")
