"""One table, written as Markdown for a terminal and as HTML for a page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import NoneType
from typing import final

from markupsafe import Markup

from worldmodel.errors import InputError

Cell = str | int | float | bool | None


@final
@dataclass(frozen=True)
class Table:
    """Records in columns; what is not known is None.

    Attributes:
        columns: Headings.
        rows: Cells, one per column.
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]

    @classmethod
    def of(cls, records: Sequence[Mapping[str, Cell]]) -> Table:
        """A row per record; the first record names the columns.

        Raises:
            InputError: A record's keys differ from those of the first.
        """
        columns = tuple(records[0]) if records else ()
        for record in records:
            if set(record) != set(columns):
                raise InputError(
                    f"table: expected records with the keys {list(columns)}, got {list(record)}"
                )
        return cls(columns, tuple(tuple(record[c] for c in columns) for record in records))

    def markdown(self) -> str:
        """A GitHub table, numbers to the right."""
        rule = ["--:" if numeric else "---" for numeric in self._numeric()]
        body = [[shown(cell) for cell in row] for row in self.rows]
        lines = [self.columns, rule, *body]
        return "".join(f"| {' | '.join(map(_escaped, line))} |\n" for line in lines)

    def html(self) -> Markup:
        """A `<table>` with every cell escaped; numbers carry the class `number`."""
        kinds = [Markup(' class="number"') if numeric else "" for numeric in self._numeric()]
        lines = [_line("th", kinds, self.columns)]
        lines += [_line("td", kinds, [shown(cell) for cell in row]) for row in self.rows]
        head, *body = lines
        template = Markup("<table><thead>{}</thead><tbody>{}</tbody></table>")
        return template.format(head, Markup("").join(body))

    def _numeric(self) -> list[bool]:
        """Which columns hold numbers."""
        kinds = [{type(row[i]) for row in self.rows} for i in range(len(self.columns))]
        return [bool(kind & {int, float}) and kind <= {int, float, NoneType} for kind in kinds]


def shown(cell: Cell) -> str:
    """A cell as text: four significant digits, "yes" and "no", and n/a for None."""
    match cell:
        case None:
            return "n/a"
        case bool():
            return "yes" if cell else "no"
        case float():
            return f"{cell:.4g}"
        case _:
            return str(cell)


def _escaped(cell: str) -> str:
    return cell.replace("|", "\\|")


def _line(tag: str, kinds: Sequence[str], cells: Sequence[str]) -> Markup:
    parts = (
        Markup("<{0}{1}>{2}</{0}>").format(Markup(tag), kind, cell)
        for kind, cell in zip(kinds, cells, strict=True)
    )
    return Markup("<tr>{}</tr>").format(Markup("").join(parts))
