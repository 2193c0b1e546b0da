"""The check of `forgetting:` of a study: there has to be text that its models were not pretrained on."""

from __future__ import annotations

from tunegrid.common.yaml_file import KeyProblem
from tunegrid.study.study import Study


def check_forgetting(study: Study) -> None:
    """Checks that text is given where a model was pretrained on other text than the generated. Raises KeyProblem."""
    if study.forgetting is None or study.forgetting.text is not None:
        return
    for name in study.grid.models:
        if getattr(study.models[name].source, "text", None) != "miniworld":
            raise KeyProblem(
                ("forgetting", "text"),
                f"required: a text file that {name} has not seen. Generated text is for models that learned from it",
            )
