"""The project's own kinds of methods in the small models: what `trial` finds with each, and whether its counts are right."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.support.methods_on_checkpoints import make, shape_of
from tests.tuners.trial import MODELS, judge
from tunegrid.methods import METHODS
from tunegrid.models import FAMILIES
from tunegrid.models.flops import trainable_parameters

FILE = Path(__file__).with_name("own_methods.json")
# Tuners of peft have a table of their own; DPO and PPO start from a run.
TRIED = {
    "full": {},
    "adapters": {},
    "lora": {"r": 4},
    "prefix": {"length": 4, "bottleneck": 6},
    "prompt": {"length": 4},
    "bitfit": {},
    "qlora": {"r": 4},
}


def find(models: Path) -> dict[str, Any]:
    """Kind -> family -> verdict, with the number of trained parameters. A kind whose package is missing stays as it was."""
    known = json.loads(FILE.read_text(encoding="utf-8")) if FILE.is_file() else {}
    return {
        kind: known.get(kind, {})
        if METHODS[kind].missing_package()
        else {name: _tried(kind, name, models) for name in MODELS}
        for kind in TRIED
    }


def _tried(kind: str, family: str, models: Path) -> dict[str, Any]:
    method = make(kind, family, **TRIED[kind])
    if reason := METHODS[kind].why_not(method.settings, FAMILIES[family]):
        return {"failed": "inject", "reason": reason}
    verdict = judge(method, models, method.merge).model_dump(exclude_none=True)
    if not verdict.get("failed") and (reason := method.why_unmerged()):
        verdict["unmerged"] = reason
    model = method.inject(method.load_base(models / family))
    trained, arithmetic = trainable_parameters(model), method.trainable_count(shape_of(method, model))
    return verdict | {"trained": trained, "by_arithmetic": arithmetic}
