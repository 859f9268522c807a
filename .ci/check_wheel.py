"""With the wheel installed, outside the repository: every module imports, every file is there."""

import pkgutil
from importlib import import_module, resources

import worldmodel

for module in pkgutil.walk_packages(worldmodel.__path__, "worldmodel."):
    import_module(module.name)

for folder, pattern in (("configs", "*.yaml"), ("pretrained", "*"), ("report", "*.jinja")):
    with resources.as_file(resources.files(worldmodel) / folder) as path:
        found = [file for file in path.rglob(pattern) if file.suffix not in {"", ".py", ".pyc"}]
    if not found:
        raise SystemExit(f"the wheel holds no worldmodel/{folder}/{pattern}")
    print(f"worldmodel/{folder}: {len(found)} files")
