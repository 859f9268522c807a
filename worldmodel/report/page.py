"""One HTML page that can be mailed: its pictures are inside, nothing is loaded from elsewhere."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import final

from jinja2 import Environment, PackageLoader, StrictUndefined

from worldmodel.errors import InputError
from worldmodel.report.table import Table

_SIGNATURES = {b"\x89PNG": "image/png", b"GIF8": "image/gif", b"\xff\xd8\xff": "image/jpeg"}


@final
@dataclass(frozen=True)
class Picture:
    """A PNG, GIF or JPEG with a caption.

    Attributes:
        data: The file's bytes.
        caption: Shown below, and read out to those who cannot see the picture.
    """

    data: bytes
    caption: str

    @property
    def uri(self) -> str:
        """The picture as a data URI.

        Raises:
            InputError: The bytes are no PNG, GIF or JPEG.
        """
        for signature, kind in _SIGNATURES.items():
            if self.data.startswith(signature):
                return f"data:{kind};base64,{b64encode(self.data).decode()}"
        raise InputError(f"picture {self.caption!r}: expected the bytes of a PNG, GIF or JPEG")


@final
@dataclass(frozen=True)
class Section:
    """One part of a page.

    Attributes:
        heading: Its title.
        text: Plain text; an empty line starts a new paragraph.
        table: Shown below the text.
        pictures: Shown below the table.
    """

    heading: str
    text: str = ""
    table: Table | None = None
    pictures: tuple[Picture, ...] = ()

    @property
    def paragraphs(self) -> list[str]:
        """The text, split at empty lines."""
        return [part for part in self.text.split("\n\n") if part.strip()]


def render(title: str, sections: Sequence[Section], summary: str = "") -> str:
    """The page as HTML; all text is escaped."""
    environment = Environment(
        loader=PackageLoader("worldmodel.report", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    template = environment.get_template("page.html.jinja")
    return template.render(title=title, sections=sections, summary=summary)


def write_page(path: Path, title: str, sections: Sequence[Section], summary: str = "") -> None:
    """Write one self-contained page; missing folders are made.

    Args:
        path: Where to write, usually `*.html`.
        title: Heading of the page.
        sections: Parts in order.
        summary: One sentence below the title.

    Raises:
        InputError: A picture is no PNG, GIF or JPEG.
    """
    html = render(title, sections, summary)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(html, encoding="utf-8")
