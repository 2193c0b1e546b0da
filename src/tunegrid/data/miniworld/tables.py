"""The words and sentences of the generated world: tables in resources/miniworld/, to be checked line by line."""

from functools import cache
from typing import Any

import yaml

from tunegrid.common.package_data import miniworld_folder


@cache
def table(name: str) -> dict[str, Any]:
    """Reads resources/miniworld/<name>.yaml."""
    return yaml.safe_load((miniworld_folder() / f"{name}.yaml").read_text(encoding="utf-8"))
