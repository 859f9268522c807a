"""Where the real recordings and the authors' numbers are.

Without `WORLDMODEL_DATA`, tests that need them skip where `../shared/data` is missing. With it,
none skips: what it names must be there.
"""

import os
from pathlib import Path

import pytest
import torch

DATA = Path(
    os.environ.get("WORLDMODEL_DATA", Path(__file__).parent.parent.parent / "shared" / "data")
)


@pytest.fixture(scope="session")
def data() -> Path:
    """Folder of real recordings; the test skips where there is none."""
    return _existing(DATA)


@pytest.fixture(scope="session")
def fixtures() -> Path:
    """Folder of numbers from the authors' code; the test skips where there is none."""
    return _existing(DATA.parent / "fixtures")


@pytest.fixture(autouse=True, scope="session")
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> None:
    os.environ["WORLDMODEL_CACHE"] = str(tmp_path_factory.mktemp("cache"))


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(0)


def _existing(folder: Path) -> Path:
    if not folder.is_dir():
        missing = f"{folder} is missing; set WORLDMODEL_DATA to the folder of recordings"
        if "WORLDMODEL_DATA" in os.environ:
            pytest.fail(missing)
        pytest.skip(missing)
    return folder
