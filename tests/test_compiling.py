"""Compiled steps are the plain steps; without a compiler they are taken as they are."""

import logging
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
@pytest.mark.filterwarnings("ignore:.*torch.jit.script_method.*:DeprecationWarning")
def test_without_a_compiler_the_steps_are_taken_as_they_are(
    fresh_cache: None, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("torch._inductor.config.cpp.cxx", (None, "no-such-compiler"))
    with caplog.at_level(logging.WARNING):
        assert torch.equal(imagined(compile_steps(model())), imagined(model()))

    assert "cannot be compiled here" in caplog.text
