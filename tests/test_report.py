"""Pictures, tables and pages, read back by other programs."""

from base64 import b64decode
from html.parser import HTMLParser

import av
import imageio.v3 as iio
import numpy as np
import pytest
import torch
from PIL import Image, ImageSequence

from worldmodel.errors import InputError
from worldmodel.report.film import beside, write_film
from worldmodel.report.page import Picture, Section, render, write_page
from worldmodel.report.picture import GAP, LINE, to_uint8, write_png
from worldmodel.report.plot import curves
from worldmodel.report.strip import comparison, strip
from worldmodel.report.table import Table


@pytest.fixture
def video():
    """A white square that moves right on a colored ground, (T, H, W, 3)."""
    frames = np.full((5, 12, 16, 3), (200, 30, 60), dtype=np.uint8)
    for t, frame in enumerate(frames):
        frame[4:8, 2 * t : 2 * t + 4] = 255
    return frames


def test_gif_holds_the_video(tmp_path, video):
    path = tmp_path / "new" / "folder" / "push.gif"
    write_film(path, video, fps=4, scale=3)
    with Image.open(path) as gif:
        assert gif.info["loop"] == 0
        assert gif.info["duration"] == 250
        shown = np.stack([np.asarray(f.convert("RGB")) for f in ImageSequence.Iterator(gif)])
    assert shown.shape == (5, 36, 48, 3)
    assert np.abs(shown.astype(int) - video.repeat(3, 1).repeat(3, 2)).max() <= 2


def test_colors_of_a_film_do_not_flicker(tmp_path):
    """What does not change between two frames is not shown to change, though others do."""
    generator = np.random.default_rng(0)
    still = generator.integers(0, 256, (16, 24, 3), dtype=np.uint8)
    moving = generator.integers(0, 256, (6, 16, 24, 3), dtype=np.uint8)
    write_film(tmp_path / "x.gif", np.concatenate([np.stack([still] * 6), moving], axis=2), scale=1)
    shown = iio.imread(tmp_path / "x.gif")
    assert (shown[:, :, :24] == shown[:1, :, :24]).all()
    assert np.abs(shown[0, :, :24].astype(int) - still).mean() < 30


@pytest.mark.parametrize("width", [16, 15])
def test_mp4_holds_the_video(tmp_path, video, width):
    path = tmp_path / "new" / "push.mp4"
    write_film(path, video[:, :, :width], fps=4, scale=3)
    with av.open(path) as film:
        assert film.streams.video[0].average_rate == 4
    shown = iio.imread(path, plugin="pyav")[:, :, : 3 * width]
    assert shown.shape == (5, 36, 3 * width, 3)
    magnified = video[:, :, :width].repeat(3, 1).repeat(3, 2)
    assert np.abs(shown.astype(int) - magnified).mean() < 8


def test_a_film_of_another_kind_is_refused(tmp_path, video):
    with pytest.raises(InputError, match=r"ends in \.gif or \.mp4, got push\.avi"):
        write_film(tmp_path / "push.avi", video)


@pytest.mark.parametrize(
    "wrong", [np.zeros((2, 8, 8, 3)), np.zeros((8, 8, 3), np.uint8), np.zeros((0, 8, 8, 3), "u1")]
)
def test_gif_refuses_what_is_no_video(tmp_path, wrong):
    with pytest.raises(InputError, match=r"expected uint8 pixels of shape \(T, H, W, 3\)"):
        write_film(tmp_path / "x.gif", wrong)


def test_beside_holds_the_last_frame_of_the_shorter_video(video):
    goal = video[-1:]
    panels = beside(video, goal, labels=["real", "goal"], scale=2)
    assert panels.shape == (5, LINE + 24, 2 * 32 + 3 * GAP, 3)
    real, still = panels[:, LINE:, GAP : GAP + 32], panels[:, LINE:, 2 * GAP + 32 : -GAP]
    assert (real == video.repeat(2, 1).repeat(2, 2)).all()
    assert (still == goal.repeat(2, 1).repeat(2, 2)).all()


def test_beside_wants_a_label_each(video):
    with pytest.raises(InputError, match="one label per video"):
        beside(video, labels=[])


def test_gray_becomes_rgb_and_is_clipped():
    pixels = to_uint8(torch.tensor([-1.0, 0.5, 2.0]).reshape(1, 1, 3))
    assert pixels.tolist() == [[[0] * 3, [128] * 3, [255] * 3]]


def test_strip_shows_every_frame_in_its_place(video):
    picture = strip({"a": video, "longer name": 255 - video}, scale=2)
    left = picture.shape[1] - 5 * (32 + GAP)
    for row, frames in enumerate((video, 255 - video)):
        top = LINE + GAP + GAP // 2 + row * (24 + GAP)
        for t, frame in enumerate(frames):
            x = left + t * (32 + GAP)
            shown = picture[top : top + 24, x : x + 32]
            assert (shown == frame.repeat(2, 0).repeat(2, 1)).all()


def test_comparison_is_black_where_the_prediction_is_right(tmp_path):
    truth = torch.full((4, 3, 32, 32), 0.5)
    wrong = truth.clone()
    wrong[:, :, :, 16:] = 1.0
    right = comparison(truth, truth)
    picture = comparison(truth, wrong)
    assert right.shape == picture.shape
    changed = (right != picture).any(-1)
    assert 0 < changed.mean() < 0.5
    error_row = picture[-GAP // 2 - 64 : -GAP // 2, -GAP - 64 : -GAP].astype(int)
    assert error_row[:, :32].max() < 10
    assert error_row[:, 32:, 0].min() > 240
    write_png(tmp_path / "strip.png", picture)
    with Image.open(tmp_path / "strip.png") as stored:
        assert (np.asarray(stored) == picture).all()


def test_comparison_refuses_other_lengths():
    with pytest.raises(InputError, match=r"\(4, 3, 8, 8\) and \(3, 3, 8, 8\)"):
        comparison(torch.rand(4, 3, 8, 8), torch.rand(3, 3, 8, 8))


RECORDS = [
    {"name": "a|b", "error": 12.34567, "clips": 3, "done": True},
    {"name": "<i>", "error": None, "clips": 10, "done": False},
]


def test_markdown_table():
    assert Table.of(RECORDS).markdown() == (
        "| name | error | clips | done |\n"
        "| --- | --: | --: | --- |\n"
        "| a\\|b | 12.35 | 3 | yes |\n"
        "| <i> | n/a | 10 | no |\n"
    )


def test_html_table_escapes_and_aligns():
    html = Table.of(RECORDS).html()
    assert "<td>&lt;i&gt;</td>" in html
    assert '<td class="number">12.35</td>' in html
    assert "<td>yes</td>" in html


def test_records_with_other_keys_are_refused():
    with pytest.raises(InputError, match=r"\['name'\], got \['nmae'\]"):
        Table.of([{"name": "a"}, {"nmae": "b"}])


class _Links(HTMLParser):
    """Everything a page would load, and its tags."""

    def __init__(self):
        super().__init__()
        self.tags, self.links = [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.links += [value for name, value in attrs if name in {"src", "href"}]


def test_page_is_self_contained(tmp_path, video):
    write_film(tmp_path / "a.gif", video)
    png = curves({"model": [1.0, 2.0, 4.0]}, "predicted step", "error")
    pictures = (Picture((tmp_path / "a.gif").read_bytes(), "a"), Picture(png, "b"))
    write_page(
        tmp_path / "out" / "page.html",
        "Pushing <script>alert(1)</script>",
        [Section("Scores", "One.\n\nTwo & three.", Table.of(RECORDS), pictures)],
        summary="In short",
    )
    page = (tmp_path / "out" / "page.html").read_text(encoding="utf-8")
    reader = _Links()
    reader.feed(page)
    assert "script" not in reader.tags
    assert reader.tags.count("p") == 3
    assert [link.partition(",")[0] for link in reader.links] == [
        "data:image/gif;base64",
        "data:image/png;base64",
    ]
    assert b64decode(reader.links[1].partition(",")[2]) == png


def test_page_refuses_other_bytes():
    with pytest.raises(InputError, match="'plan': expected the bytes of a PNG, GIF or JPEG"):
        render("t", [Section("s", pictures=(Picture(b"RIFF", "plan"),))])
