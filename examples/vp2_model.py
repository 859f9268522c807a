"""VP2: what one of its planners asks of a model, three ways to move the hand."""

import numpy as np

import worldmodel as wm
from worldmodel.plugins.vp2 import VP2Model

picture, _ = wm.make("tabletop/reach").reset(seed=0)
model = VP2Model("predrnn-v2-tabletop", num_context=2)
video = np.tile(picture / 255.0, (3, 2, 1, 1, 1))  # 3 candidates with 2 frames of context each
actions = np.zeros((3, 11, 2))  # 1 between these frames and 10 to come, of 2 numbers each
actions[:, 1:, 0] = np.array([[-0.5], [0.0], [0.5]])
frames = model({"video": video, "actions": actions})["rgb"]
print(frames.shape)
for way, film in zip(actions[:, -1, 0], frames, strict=True):
    print(f"{way:.1f} a step: pictures change by {np.abs(film[-1] - film[0]).mean():.4f}")
