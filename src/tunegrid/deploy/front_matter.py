"""The front matter of a model card, as the Hub reads it: licence, language, base, data, tags, results."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import yaml

from tunegrid.common.package_data import datasets_file
from tunegrid.common.records import DataCard, read_card
from tunegrid.data import miniworld
from tunegrid.deploy.choose import Winner
from tunegrid.results.records import MetricsRecord
from tunegrid.study.study import Study

if TYPE_CHECKING:
    from tunegrid.deploy.form import Layout

# The identifiers that the Hub knows, of licences that models and data often have.
LICENCES = frozenset(
    "apache-2.0 mit openrail bigscience-openrail-m creativeml-openrail-m bsd bsd-2-clause bsd-3-clause cc cc0-1.0 "
    "cc-by-2.0 cc-by-2.5 cc-by-3.0 cc-by-4.0 cc-by-sa-3.0 cc-by-sa-4.0 cc-by-nc-2.0 cc-by-nc-3.0 cc-by-nc-4.0 "
    "cc-by-nd-4.0 cc-by-nc-nd-3.0 cc-by-nc-nd-4.0 cc-by-nc-sa-2.0 cc-by-nc-sa-3.0 cc-by-nc-sa-4.0 afl-3.0 "
    "artistic-2.0 bsl-1.0 ecl-2.0 epl-1.0 epl-2.0 eupl-1.1 agpl-3.0 gfdl gpl gpl-2.0 gpl-3.0 lgpl lgpl-2.1 lgpl-3.0 "
    "isc mpl-2.0 ms-pl ncsa odbl odc-by ofl-1.1 pddl postgresql unlicense wtfpl zlib".split()
)


def front_matter(
    study: Study,
    winner: Winner,
    layout: Layout,
    name: str,
    metrics: MetricsRecord | None,
    languages: Sequence[str],
) -> str:
    """YAML, without the lines of dashes around it. What is not on the Hub is not named as if it were."""
    from huggingface_hub import EvalResult, ModelCardData

    cell = winner.run.cell
    task = study.task(cell.task)
    data = read_card(study.paths.data_card(cell.task), DataCard)
    results = None
    if metrics is not None:
        titles = {metric.name: metric.title for metric in task.metrics}
        results = [
            EvalResult(
                task_type=task.hub_task,
                task_name=study.title_of("tasks", cell.task),
                dataset_type=data.get("id") or cell.task,
                dataset_name=data["source"],
                dataset_config=data.get("name"),
                dataset_split="test",
                dataset_revision=data.get("commit"),
                metric_type=metric,
                metric_name=titles.get(metric, metric),
                metric_value=score.value,
            )
            for metric, score in metrics.metrics.items()
        ]
    base = {}
    if layout.hub is not None:
        base = {"base_model": layout.hub[0]}
        base["base_model_relation"] = "finetune" if layout.adapter is None else "adapter"
    card = ModelCardData(
        language=list(languages) or None,
        library_name=layout.library,
        pipeline_tag=task.hub_task,
        tags=["tunegrid", task.settings.kind, study.method_settings(cell).kind, study.models[cell.model].family],
        datasets=[data["id"]] if data.get("id") else None,
        metrics=[metric.name for metric in task.metrics],
        model_name=name,
        eval_results=results,
        **base_licence(study, cell.model),
        **base,
    )
    return yaml.safe_dump(card.to_dict(), sort_keys=False, allow_unicode=True, width=120)


def base_licence(study: Study, model: str) -> dict[str, Any]:
    """The card's licence: the base model's, as the study says; `unknown` where it does not, `other` for other words."""
    words = " ".join(study.models[model].source.licence.split())
    identifier = re.sub(r"[\s_]+", "-", words.lower())
    if identifier in LICENCES:
        return {"license": identifier}
    if not words or words.lower().startswith(("not stated", "unknown", "not known")):
        return {"license": "unknown"}
    return {"license": "other", "license_name": words}


def languages_of(study: Study, task: str) -> list[str]:
    """Codes of the languages of a task's texts, where they are known: of generated data, and of the paper's."""
    settings = study.tasks[task]
    if settings.source.kind == "generated":
        return list(miniworld.languages(settings.kind))
    if settings.source.kind != "hub":
        return []
    known = yaml.safe_load(datasets_file().read_text(encoding="utf-8"))
    name = f"{settings.source.path} {settings.source.name}" if settings.source.name else settings.source.path
    return list(known.get(name, {}).get("languages", []))
