"""The whole demonstration at its smallest: it ends, its page stands alone, and it goes on."""

import re
import time
from pathlib import Path

import pytest

from worldmodel.cli import main


@pytest.mark.slow
def test_the_quick_demo_leaves_one_page_and_goes_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["demo", "--quick", f"--output={tmp_path}"]
    start = time.process_time()
    assert main(arguments) == 0
    first = time.process_time() - start
    page = tmp_path / "index.html"
    assert str(page) in capsys.readouterr().out
    html = re.sub(r"data:image/\w+;base64,[\w+/=]+", "INSIDE", page.read_text())
    assert html.count("src=") == html.count('src="INSIDE"') > 10
    assert not re.search(r"http|href|srcset|url\(|@import|<link|<script", html)
    for heading in ("by predrnn-v2", "by mode-rnn", "Planning: reach", "Planning: push"):
        assert heading in html
    for contestant in ("model", "oracle", "random", "null"):
        assert html.count(f"<td>{contestant}</td>") >= 2

    checkpoints = {path: path.read_bytes() for path in tmp_path.rglob("*.safetensors")}
    assert len(checkpoints) == 2
    start = time.process_time()
    assert main(arguments) == 0
    assert time.process_time() - start < first / 2
    assert {path: path.read_bytes() for path in checkpoints} == checkpoints
