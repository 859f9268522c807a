"""With the wheel installed, outside the repository: all modules import or name an extra."""

import pkgutil
from importlib import import_module, resources

import worldmodel
from worldmodel.checkpoint import load
from worldmodel.errors import InputError

for module in pkgutil.walk_packages(worldmodel.__path__, "worldmodel."):
    try:
        import_module(module.name)
    except InputError as error:  # an extra is missing, and is named
        if "pip install 'worldmodel[" not in str(error):
            raise
        print(f"{module.name}: {error}")

for folder, pattern in (("configs", "*.yaml"), ("report", "*.jinja")):
    with resources.as_file(resources.files(worldmodel) / folder) as path:
        found = list(path.rglob(pattern))
    if not found:
        raise SystemExit(f"the wheel holds no worldmodel/{folder}/{pattern}")
    print(f"worldmodel/{folder}: {len(found)} files")

for name in ("mode-rnn-tabletop", "predrnn-v2-tabletop"):
    print(f"worldmodel/pretrained/{name}: {load(name).card.steps} training steps")
