"""Columns of parquet files, some rows at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any, final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from worldmodel.data.files.folder import Stamp
from worldmodel.errors import InputError

ROWS_PER_BYTE = 1032
"""Rows that a byte of a file may declare; deflate, the strongest usual filter, does no better."""

SMALL = 2**20
"""Rows that any file may declare."""

PICTURES_AT_ONCE = 16
"""Rows of compressed pictures that are in memory at once, beside those asked for."""


@final
class Parquet:
    """A parquet file whose columns can be read in part; holds no open file.

    Opening reads the footer alone.

    Args:
        path: The file.

    Attributes:
        columns: Names of the columns.

    Raises:
        InputError: It is no parquet file, or declares far more rows than it can hold.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._footer: pq.FileMetaData | None = None
        with self._opened() as file:
            footer, self.columns = file.metadata, tuple(file.schema_arrow.names)
            groups = [footer.row_group(number).num_rows for number in range(footer.num_row_groups)]
            size = path.stat().st_size
        self._footer, self._starts = footer, np.cumsum([0, *groups])
        if not 0 <= min(groups, default=0) <= len(self) <= SMALL + size * ROWS_PER_BYTE:
            raise InputError(f"declares {sum(groups)} rows in a file of {size} bytes")

    def __len__(self) -> int:
        return int(self._starts[-1])

    def records(self, columns: Sequence[str]) -> list[dict[str, Any]]:
        """All rows; those of the columns that are there.

        Raises:
            InputError: The file is damaged.
        """
        wanted = [name for name in columns if self.columns.count(name) == 1]
        with self._opened() as file:
            return file.read(wanted, use_threads=False).select(wanted).to_pylist()

    def numbers(self, column: str, rows: range) -> np.ndarray:
        """Numbers in some rows of a column, NaN where one is missing.

        Args:
            column: Its name.
            rows: Consecutive, at least one.

        Returns:
            Shape (n,) of a plain column, (n, ...) of one of lists.

        Raises:
            InputError: There is no such column, it holds anything else, or its rows differ in
                length or are empty.
        """
        parts = [
            _column(self, column, group).slice(start, count)
            for group, start, count in self._groups(rows)
        ]
        values = pa.concat_arrays(parts)
        self._check_count(column, rows, len(values))
        shape = [len(values)]
        while isinstance(values, pa.ListArray | pa.LargeListArray | pa.FixedSizeListArray):
            widths = pc.call_function("list_value_length", [values]).unique().to_pylist()
            if values.null_count or len(widths) != 1 or not widths[0]:
                raise InputError(f"rows of '{column}' differ in length or are empty")
            shape.append(widths[0])
            values = values.flatten()
        if not (pa.types.is_integer(values.type) or pa.types.is_floating(values.type)):
            raise InputError(f"expected numbers in column '{column}', got {values.type}")
        return values.to_numpy(zero_copy_only=False).reshape(shape)

    def pictures(self, column: str, rows: range) -> list[bytes]:
        """Compressed pictures in some rows of a column of `struct{bytes, path}`.

        Args:
            column: Its name.
            rows: Consecutive, at least one.

        Raises:
            InputError: There is no such column, it holds anything else, or a picture is not in
                the file.
        """
        self._check(column)
        groups = list(self._groups(rows))
        found: list[bytes] = []
        with self._opened() as file:
            skipped = groups[0][1]
            for batch in file.iter_batches(
                PICTURES_AT_ONCE, [group for group, _, _ in groups], [column], use_threads=False
            ):
                wanted = batch.column(column).slice(skipped, len(rows) - len(found))
                skipped = max(0, skipped - len(batch))
                found += (self._picture(column, value) for value in wanted.to_pylist())
                if len(found) == len(rows):
                    break
        self._check_count(column, rows, len(found))
        return found

    def _picture(self, column: str, value: object) -> bytes:
        data = value.get("bytes") if isinstance(value, dict) else None
        if not isinstance(data, bytes):
            raise InputError(f"expected pictures in column '{column}', got none")
        return data

    def _groups(self, rows: range) -> Iterator[tuple[int, int, int]]:
        """Row groups that hold the rows: number, first of its rows and how many of them."""
        if not 0 <= rows.start < rows.stop <= len(self):
            raise InputError(
                f"expected rows 0 to {len(self) - 1}, got {rows.start} to {rows.stop - 1}"
            )
        first, last = np.searchsorted(self._starts, [rows.start + 1, rows.stop]) - 1
        for group in range(first, last + 1):
            begin, end = self._starts[group : group + 2].tolist()
            start, stop = max(rows.start, begin), min(rows.stop, end)
            if start < stop:
                yield group, start - begin, stop - start

    def read_group(self, column: str, group: int) -> pa.Array:
        """A column of a row group; `numbers` keeps those used last in memory."""
        self._check(column)
        with self._opened() as file:
            table = file.read_row_group(group, [column], use_threads=False)
            return table.column(column).combine_chunks()

    def _check(self, column: str) -> None:
        if self.columns.count(column) != 1:
            raise InputError(
                f"expected one column '{column}', available: {', '.join(self.columns)}"
            )

    def _check_count(self, column: str, rows: range, count: int) -> None:
        if count != len(rows):
            raise InputError(f"'{column}' lacks some of the rows that are declared")

    @contextmanager
    def _opened(self) -> Iterator[pq.ParquetFile]:
        try:
            with pq.ParquetFile(self._path, metadata=self._footer) as file:
                yield file
        except (pa.ArrowException, OSError, OverflowError, UnicodeDecodeError) as error:
            raise InputError(f"not a readable parquet file ({error})") from error


@lru_cache(maxsize=16)
def parquet_file(path: Path, stamp: Stamp) -> Parquet:
    """A parquet file whose footer is read once per process and version; see `Parquet`."""
    return Parquet(path)


@lru_cache(maxsize=6)
def _column(file: Parquet, column: str, group: int) -> pa.Array:
    return file.read_group(column, group)
