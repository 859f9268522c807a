"""The examples run, and the pages show them as they are.

Where an example calls a library that is not installed here, the little of it that the example needs
stands in its place.
"""

import re
import runpy
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import pytest
import torch
import uvicorn

from worldmodel.checkpoint import load
from worldmodel.envs.suite import SUITES
from worldmodel.planners.space import action_space_of
from worldmodel.plugins.server import Service, create_app

ROOT = Path(__file__).parent.parent
EXAMPLES = ROOT / "examples"

PAGES = {
    "vp2": "vp2_model",
    "stable-worldmodel": "stable_worldmodel_solver",
    "pytorch-mppi": "pytorch_mppi_control",
    "gymnasium": "gymnasium_policy",
    "server": "policy_client",
}


class MPPI:
    """Algorithm 2 of Williams et al. (2017) with the arguments of pytorch_mppi."""

    def __init__(
        self, dynamics, running_cost, nx, noise_sigma, num_samples, horizon, lambda_, u_min, u_max
    ):
        self.dynamics, self.running_cost = dynamics, running_cost
        self.std, self.samples, self.temperature = noise_sigma.diag().sqrt(), num_samples, lambda_
        self.low, self.high, self.mean = u_min, u_max, torch.zeros(horizon, len(noise_sigma))

    def command(self, state):
        self.mean = torch.cat([self.mean[1:], torch.zeros_like(self.mean[:1])])
        noise = self.std * torch.randn(self.samples, *self.mean.shape)
        actions = (self.mean + noise).clamp(self.low, self.high)
        state, total = state.expand(self.samples, -1), torch.zeros(self.samples)
        for t in range(len(self.mean)):
            state = self.dynamics(state, actions[:, t])
            total = total + self.running_cost(state, actions[:, t])
        weights = torch.softmax(-total / self.temperature, dim=0)
        self.mean = torch.einsum("k,kta->ta", weights, actions)
        return self.mean[0]


@dataclass(frozen=True)
class PlanConfig:
    """The options of stable-worldmodel."""

    horizon: int
    receding_horizon: int
    action_block: int = 1


@pytest.fixture
def run(monkeypatch, capsys):
    def run(name, *arguments, **modules):
        for module, contents in modules.items():
            stand_in = ModuleType(module)
            vars(stand_in).update(contents)
            monkeypatch.setitem(sys.modules, module.replace("__", "."), stand_in)
        monkeypatch.setattr(sys, "argv", [name, *arguments])
        runpy.run_path(str(EXAMPLES / f"{name}.py"))
        return capsys.readouterr().out

    return run


def centimetres(printed):
    found = re.fullmatch(r"(\d+\.\d) cm from the goal\n", printed)
    assert found
    return float(found[1])


def test_vp2(run):
    shape, *ways = run("vp2_model").splitlines()
    assert shape == "(3, 11, 64, 64, 3)"
    moved = [
        re.fullmatch(r"(-?0\.5|0\.0) a step: pictures change by (0\.\d{4})", way) for way in ways
    ]
    left, still, right = (float(way[2]) for way in moved if way)
    assert still < min(left, right)


@pytest.mark.slow
def test_stable_worldmodel(run):
    printed = run("stable_worldmodel_solver", stable_worldmodel__policy={"PlanConfig": PlanConfig})
    assert printed.startswith("torch.Size([2, 10, 2]) [")


@pytest.mark.slow
def test_pytorch_mppi(run):
    assert centimetres(run("pytorch_mppi_control", pytorch_mppi={"MPPI": MPPI})) < 10


@pytest.mark.slow
def test_gymnasium(run):
    assert centimetres(run("gymnasium_policy")) < 3


@pytest.mark.slow
def test_policy_client(run):
    reach, model = SUITES["tabletop"].task("reach"), load("predrnn-v2-tabletop").model
    space = action_space_of(SUITES["tabletop"].make("reach").action_space)
    app = create_app(Service("predrnn-v2-tabletop", model, space, reach.planning))
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="critical"))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            time.sleep(0.01)
        port = server.servers[0].sockets[0].getsockname()[1]
        assert centimetres(run("policy_client", f"http://127.0.0.1:{port}")) < 3
    finally:
        server.should_exit = True
        thread.join()


@pytest.mark.parametrize(("page", "example"), PAGES.items())
def test_the_pages_show_the_examples(page, example):
    assert (EXAMPLES / f"{example}.py").read_text() in (
        ROOT / "docs" / "plugins" / f"{page}.md"
    ).read_text()


@pytest.mark.parametrize("example", PAGES.values())
def test_an_example_does_not_hide_the_library_that_it_shows(example):
    """A program's own folder is where Python looks first."""
    imported = re.findall(r"^(?:import|from) (\w+)", (EXAMPLES / f"{example}.py").read_text(), re.M)
    assert not {file.stem for file in EXAMPLES.glob("*.py")} & set(imported)


@pytest.mark.parametrize("example", PAGES.values())
def test_an_example_is_short(example):
    lines = (EXAMPLES / f"{example}.py").read_text().splitlines()
    code = [line for line in lines[1:] if line and not line.startswith(("import", "from"))]
    assert len(code) <= 16
