"""Costs by name, weighted: in Python, from the command line and from YAML."""

import math
from pathlib import Path

import pytest
import torch
import yaml

from worldmodel.cli import main
from worldmodel.commands.plan import read
from worldmodel.errors import InputError
from worldmodel.imagined import Imagined
from worldmodel.planners.cost import Scene
from worldmodel.planners.costs.action_penalty import ActionPenalty
from worldmodel.planners.costs.designated_pixel import DesignatedPixelConfig
from worldmodel.planners.costs.goal_image import GoalImage, GoalImageConfig
from worldmodel.planners.costs.weighted_sum import WeightedSumConfig, parts, weighted

OF = {
    "goal-image": 0.05,
    "designated-pixel": {"weight": 2, "pixel": [3, 4], "goal": [5, 6], "radius": 3},
}
GOAL = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
SCENE = Scene(GOAL[:, None], GOAL.flip(-1))


def step():
    generator = torch.Generator().manual_seed(1)
    frame = torch.rand(6, 3, 32, 32, generator=generator)
    actions = torch.rand(6, 2, 2, generator=generator)
    return Imagined(0, actions, None, lambda: frame, lambda: frame)


def test_the_sum_is_that_of_the_costs_times_their_weights():
    pixel = DesignatedPixelConfig((3, 4), (5, 6), radius=3).build(SCENE)
    expected = 0.05 * GoalImage(GOAL)(step()) + 2 * pixel(step())
    torch.testing.assert_close(WeightedSumConfig(OF).build(SCENE)(step()), expected)


def test_options_become_what_their_types_say():
    (image,) = parts({"Goal_Image": {"scales": [1, 4], "crop": [0, 0, 1, 0.5]}})
    assert image == (1.0, GoalImageConfig((1, 4), crop=(0.0, 0.0, 1.0, 0.5)))
    (pixel,) = parts({"designated-pixel": {"pixel": [[1, 2], [3, 4]], "goal": [[1, 2], [3, 4]]}})
    assert pixel.config == DesignatedPixelConfig([(1, 2), (3, 4)], [(1, 2), (3, 4)])


def test_sums_of_sums_and_of_nothing():
    nested = {"weighted-sum": {"weight": 3, "of": {"action-penalty": 2}}}
    torch.testing.assert_close(weighted(nested, SCENE)(step()), 6 * ActionPenalty()(step()))
    assert torch.equal(weighted({}, SCENE)(step()), torch.zeros(6))


def test_what_is_seen_reaches_every_cost():
    cost = weighted({"smoothness": 1.0, "action-penalty": 1.0}, SCENE)
    before = cost(step())
    cost.observe(torch.full((2, 2), 9.0), GOAL)
    assert (cost(step()) > before).all()


def test_a_weight_of_0_looks_at_nothing():
    def looked():
        raise AssertionError("looked")

    unseen = Imagined(0, torch.rand(6, 1, 2), None, looked, looked)
    assert weighted({"goal-image": 0, "action-penalty": 1}, SCENE)(unseen).shape == (6,)


@pytest.mark.parametrize(
    ("of", "told"),
    [
        ({"goal-imgae": 1}, "cost 'goal-imgae' is unknown; did you mean goal-image?"),
        ({"goal-image": {"scale": [1]}}, "goal-image: option 'scale' is unknown; did you mean sc"),
        ({"goal-image": {"scales": "wide"}}, "goal-image: .*scales"),
        ({"goal-image": {"margin": 1.5}}, "goal-image: .*margin"),
        ({"goal-image": {"margin": -1}}, "margin: expected at least 0, got -1"),
        ({"lpips": {"linear": "alex.pth"}}, "lpips: .*backbone"),
        ({"action-penalty": -1}, "action-penalty: expected a finite weight of at least 0"),
        ({"action-penalty": math.nan}, "finite weight of at least 0.*got nan"),
        ({"action-penalty": math.inf}, "finite weight of at least 0.*got inf"),
        ({"action-penalty": {"weight": -0.5}}, "finite weight of at least 0.*got -0.5"),
        ({"action-penalty": "much"}, "finite weight of at least 0.*got 'much'"),
        ({"action-penalty": True}, "finite weight of at least 0.*got True"),
        ({"action-penalty": None}, "finite weight of at least 0.*got None"),
        ({}, "weighted-sum: expected costs by name, got {}"),
    ],
)
def test_mistakes_are_refused(of, told):
    with pytest.raises(InputError, match=told):
        WeightedSumConfig(of)


def test_the_command_line_and_yaml_say_the_same(tmp_path: Path):
    text = (
        "{goal-image: 0.05, designated-pixel: {weight: 2, pixel: [3, 4], goal: [5, 6], radius: 3}}"
    )
    file = tmp_path / "cost.yaml"
    file.write_text(yaml.safe_dump({"planning": {"cost": {"name": "weighted-sum", "of": OF}}}))
    given = ["--planning.cost", "weighted-sum", "--planning.cost.of", text]
    for arguments in (given, ["--config", str(file)]):
        planning = read(arguments).planning
        assert planning is not None
        assert planning.cost == WeightedSumConfig(OF)


@pytest.mark.parametrize(
    ("of", "told"),
    [
        ("{goal-imgae: 1}", "did you mean goal-image?"),
        ("{goal-image: {scale: [1]}}", "did you mean scales?"),
        ("{goal-image: -1}", "finite weight of at least 0"),
    ],
)
def test_mistakes_on_the_command_line_are_one_sentence(of, told, capsys):
    assert main(["plan", "--planning.cost=weighted-sum", f"--planning.cost.of={of}"]) == 2
    error = capsys.readouterr().err
    assert error.startswith("worldmodel: ")
    assert error.count("\n") == 1
    assert told in error


def test_a_cost_without_options_says_so():
    with pytest.raises(InputError, match=r"option 'scale' is unknown; available: none$"):
        WeightedSumConfig({"action-penalty": {"scale": 2}})
