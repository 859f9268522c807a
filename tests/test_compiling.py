"""Compiled steps are the plain steps; without a compiler they are taken as they are."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from worldmodel.compiling import compile_steps
from worldmodel.model import WorldModel
from worldmodel.models.predrnn import PredRNNConfig
from worldmodel.rollout import begin, imagine


def model() -> WorldModel:
    torch.manual_seed(0)
    config = PredRNNConfig(layers=1, hidden=4, kernel=1, patch=4, memory_decoupling=False)
    return config.build((1, 8, 8), 2).eval()


@torch.no_grad()
def imagined(model: WorldModel) -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    state = begin(model, torch.rand(1, 1, 8, 8, generator=generator)).expand(3)
    actions = torch.randn(3, 3, 2, generator=generator)
    return torch.stack([step.frame for step in imagine(model, state, actions)])


@pytest.fixture
def fresh_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path))
    torch.compiler.reset()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*torch.jit.script_method.*:DeprecationWarning")
def test_compiled_steps_are_the_plain_steps(
    fresh_cache: None, caplog: pytest.LogCaptureFixture
) -> None:
    plain = imagined(model())
    compiled = compile_steps(model())
    assert compile_steps(compiled) is compiled
    torch.testing.assert_close(imagined(compiled), plain, rtol=1e-4, atol=1e-6)
    assert "cannot be compiled" not in caplog.text


@pytest.mark.slow
def test_without_a_compiler_the_steps_are_taken_as_they_are(tmp_path: Path) -> None:
    """In a process of its own: torch remembers that there was no compiler."""
    program = """
import torch
from test_compiling import imagined, model
from worldmodel.compiling import compile_steps
assert torch.equal(imagined(compile_steps(model())), imagined(model()))
"""
    environment = {
        **os.environ,
        "CXX": "no-such-compiler",
        "PYTHONPATH": str(Path(__file__).parent),
        "TORCHINDUCTOR_CACHE_DIR": str(tmp_path),
    }
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("the steps of PredRNN cannot be compiled here") == 1
