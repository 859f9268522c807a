"""With the wheel installed, outside the repository: every module imports, every file is there."""

import pkgutil
from importlib import import_module, resources

import worldmodel
from worldmodel.checkpoint import load

for module in pkgutil.walk_packages(worldmodel.__path__, "worldmodel."):
    import_module(module.name)

for folder, pattern in (("configs", "*.yaml"), ("report", "*.jinja")):
    with resources.as_file(resources.files(worldmodel) / folder) as path:
        found = list(path.rglob(pattern))
    if not found:
        raise SystemExit(f"the wheel holds no worldmodel/{folder}/{pattern}")
    print(f"worldmodel/{folder}: {len(found)} files")

for name in ("mode-rnn-tabletop", "predrnn-v2-tabletop"):
    print(f"worldmodel/pretrained/{name}: {load(name).card.steps} training steps")
