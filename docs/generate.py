"""Writes what the documents take from the code: tables of configuration keys, and the map of the package.

Usage: python docs/generate.py [--check]

A generated part stands between `<!-- generated: NAME -->` and `<!-- end -->`. In config/README.md NAME is a class of
settings, and the part is the table of its keys, made from the JSON Schema of a study: types, defaults and descriptions
are those of the code. In docs/architecture.md the part `map` is the first sentence of each package's and module's
docstring. In docs/datasets.md the part `datasets` is the table of resources/datasets.yaml. In docs/tuners.md the
parts are tables of `resources/tuners/`, which `python -m tests.tuners` writes.
`--check` writes nothing and exits with 1 if a document is out of date.
"""

from __future__ import annotations

import ast
import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "src" / "tunegrid"
PART = re.compile(r"(<!-- generated: (?P<name>[\w ,-]+) -->\n).*?(<!-- end -->)", re.DOTALL)
SECTIONS = {  # class of settings -> the heading of config/README.md that is about it
    "Evaluation": "evaluation",
    "Forgetting": "forgetting",
    "DirectoryModel": "sources-of-models",
    "ClassificationSettings": "tasks",
    "Family": "families",
    "FilesSource": "sources-of-rows",
    "Generation": "generation",
    "Grid": "grid",
    "GeneratedSource": "sources-of-rows",
    "Hardware": "hardware",
    "InstructionSettings": "instruction-tuning",
    "Wordings": "instruction-tuning",
    "HubModel": "sources-of-models",
    "HubSource": "sources-of-rows",
    "Measure": "measure",
    "Recovery": "compress",
    "Distillation": "compress",
    "ModelSettings": "models",
    "NerSettings": "tasks",
    "Override": "overrides",
    "PairClassificationSettings": "tasks",
    "PackagedModel": "sources-of-models",
    "PpoOptions": "methods",
    "ProbeSettings": "probes",
    "Preferences": "preferences",
    "RewardSettings": "rewards",
    "CorruptedAnswers": "preferences",
    "SampledAnswers": "preferences",
    "PretrainSource": "sources-of-models",
    "QuestionAnsweringSettings": "tasks",
    "Recommend": "recommend",
    "Resources": "resources",
    "Search": "search",
    "SentimentSettings": "tasks",
    "SummarisationSettings": "tasks",
    "TextGenerationSettings": "tasks",
    "Training": "training",
    "TrainingChange": "training",
    "TranslationSettings": "tasks",
    **dict.fromkeys(
        (
            "AdaptersSettings",
            "BitFitSettings",
            "DpoSettings",
            "PpoSettings",
            "FullSettings",
            "LoraSettings",
            "PeftSettings",
            "QloraSettings",
        ),
        "methods",
    ),
}
BOUNDS = {"exclusiveMinimum": ">", "minimum": ">=", "exclusiveMaximum": "<", "maximum": "<="}
TYPES = {"string": "text", "integer": "integer", "number": "number", "boolean": "true/false", "object": "mapping"}


def main() -> int:
    stale = []
    documents = {
        "config/README.md": keys_table(),
        "docs/architecture.md": package_map,
        "docs/datasets.md": datasets_table,
        "docs/tuners.md": tuners_part,
    }
    for name, make in documents.items():
        file = ROOT / name
        text = file.read_text(encoding="utf-8")
        new = PART.sub(lambda part, make=make: f"{part[1]}{make(part['name'])}\n{part[3]}", text)
        if new != text:
            stale.append(file)
            if "--check" not in sys.argv:
                file.write_text(new, encoding="utf-8")
    state = "out of date: python docs/generate.py" if "--check" in sys.argv else "written"
    for file in stale:
        print(f"{file.relative_to(ROOT)}: {state}")
    return 1 if stale and "--check" in sys.argv else 0


# -- tables of keys ----------------------------------------------------------------------------------------------------


def keys_table() -> Callable[[str], str]:
    """A function from `CLASS[, KEY ...]` to the table of the keys of that class: of all, or of those that are named."""
    from tunegrid.study.study import Study

    schema = Study.model_json_schema()
    classes = {"Study": schema, **schema["$defs"]}

    def table(name: str) -> str:
        cls, *keys = name.split(", ")
        of_class = classes[cls]
        required = of_class.get("required", ())
        lines = ["| key | type | default | meaning |", "| --- | --- | --- | --- |"]
        for key, field in of_class["properties"].items():
            if (keys and key not in keys) or key == "kind":
                continue
            meaning = field.get("description", "").removesuffix(".").replace("|", "\\|") + "."
            lines.append(f"| `{key}` | {kind(field, classes)} | {default(key, field, required)} | {meaning} |")
        return "\n".join(lines)

    return table


def kind(field: dict[str, Any], classes: dict[str, Any]) -> str:
    """The type of a key in words, with its bounds; `null`, which is never written down, is left out."""
    if "$ref" in field:
        name = field["$ref"].rpartition("/")[2]
        return f"[mapping](#{SECTIONS[name]})" if name in SECTIONS else kind(classes[name], classes)
    if "enum" in field or "const" in field:
        return " \\| ".join(f"`{value}`" for value in field.get("enum", [field.get("const")]))
    if options := field.get("anyOf") or field.get("oneOf") or field.get("allOf"):
        kinds = [kind(option, classes) for option in options if option.get("type") != "null"]
        return " or ".join(dict.fromkeys(kinds))
    if field.get("type") == "array":
        singular = kind(field.get("items", {}), classes)
        word, _, bounds = singular.partition(" ")
        return f"list of {word}s {bounds}".strip() if re.fullmatch(r"\w+", word) else f"list of {singular}"
    if field.get("type") == "string" and "pattern" in field:
        return "name"
    values = field.get("additionalProperties") or next(iter(field.get("patternProperties", {}).values()), None)
    if isinstance(values, dict) and values.keys() & {"$ref", "oneOf"}:
        return kind(values, classes)
    bounds = ", ".join(f"{sign} {field[bound]:,}" for bound, sign in BOUNDS.items() if bound in field)
    return f"{TYPES[field['type']]} {bounds}".strip()


def default(key: str, field: dict[str, Any], required: Any) -> str:
    """The default of a key as YAML writes it; "see right" where the description says what it is."""
    if key in required:
        return "required"
    if "$ref" in field and "default" not in field:
        return "its keys' own"
    value = field.get("default")
    if value in (None, "", [], {}) or isinstance(value, dict):
        return "see right" if "default" in field.get("description", "").lower() else "none"
    if isinstance(value, list):
        return f"`[{', '.join(map(str, value))}]`"
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


# -- tables of tuners --------------------------------------------------------------------------------------------------


def tuners_part(name: str) -> str:
    """`verdicts LIBRARY` or `settings LIBRARY`: what was found with each tuner, or what a study may set of it.

    `verdicts own`: what was found with the project's own kinds of methods.
    """
    from tunegrid.methods.tuners import tuners

    kind, library = name.split()
    if library == "own":
        return own_methods()
    known = tuners(library)
    return verdicts(known) if kind == "verdicts" else tuner_settings(known)


def own_methods() -> str:
    """The table of the project's own kinds of methods, the reasons below it."""
    from tunegrid.models import FAMILIES

    found = json.loads((ROOT / "tests" / "tuners" / "own_methods.json").read_text(encoding="utf-8"))
    families = list(next(iter(found.values())))
    lines = [f"| `kind` | {' | '.join(FAMILIES[name].title for name in families)} |"]
    lines.append("| --- " * (len(families) + 1) + "|")
    reasons: dict[str, list[str]] = {}
    for kind, verdicts in found.items():
        cells = []
        for name, verdict in verdicts.items():
            if verdict.get("failed"):
                cells.append(f"no: {verdict['failed']}")
            else:
                merges = "" if "unmerged" in verdict else ", merges"
                counts = f"{verdict['trained']:,}"
                if verdict["trained"] != verdict["by_arithmetic"]:
                    counts += f", by arithmetic {verdict['by_arithmetic']:,}"
                cells.append(f"yes{merges} ({counts})")
            if reason := verdict.get("reason") or verdict.get("unmerged"):
                told = "not merged: " * ("unmerged" in verdict) + reason
                reasons.setdefault(told, []).append(FAMILIES[name].title)
        lines.append(f"| `{kind}` | {' | '.join(cells)} |")
    told = [f"- {text}" for text in reasons]
    return "\n".join([*lines, "", "Why not:", "", *told])


def verdicts(known: Any) -> str:
    """The table of one library: a column for each family, the reasons below it."""
    from tunegrid.models import FAMILIES

    families = list(next(iter(known.tuners.values())).families)
    passed = [tuner.families.values() for tuner in known.tuners.values()]
    every = [all(not verdict.failed for verdict in of) for of in passed]
    merge = [all(not verdict.failed and not verdict.unmerged for verdict in of) for of in passed]
    counts = f"{sum(every)} of {len(passed)} pass with all {len(families)} families, {sum(merge)} of them merge"
    lines = [
        f"{known.library} {known.version}: {counts}.",
        "",
        f"| tuner | {' | '.join(FAMILIES[f].title for f in families)} |",
    ]
    lines.append("| --- " * (len(families) + 1) + "|")
    reasons: dict[tuple[str, str], list[str]] = {}  # (reason, families) -> tuners
    for name, tuner in known.tuners.items():
        cells, own = [], {}
        for family, verdict in tuner.families.items():
            cells.append(f"no: {verdict.failed}" if verdict.failed else "yes" if verdict.unmerged else "yes, merges")
            if reason := verdict.refusal or (verdict.unmerged and f"not merged: {verdict.unmerged}"):
                own.setdefault(reason.replace("|", "/"), []).append(FAMILIES[family].title)
        lines.append(f"| `{name}` | {' | '.join(cells)} |")
        for reason, of in own.items():
            where = "" if len(of) == len(families) else f" ({', '.join(of)})"
            reasons.setdefault((reason, where), []).append(f"`{name}`")
    lines += ["", "Why not:", ""]
    return "\n".join([*lines, *(f"- {', '.join(names)}: {text}{where}" for (text, where), names in reasons.items())])


def tuner_settings(known: Any) -> str:
    """The table of settings of the tuners that work with one family at least."""
    lines = ["| tuner | settings, with their defaults | tried with |", "| --- | --- | --- |"]
    rows: dict[str, list[str]] = {}  # of tuners with the same settings
    for name, tuner in known.tuners.items():
        if all(verdict.failed for verdict in tuner.families.values()):
            continue
        settings = ", ".join(
            f"`{key}` ({'required' if setting.required else json.dumps(setting.default)})"
            for key, setting in tuner.settings.items()
        )
        tried = ", ".join(f"`{key}: {json.dumps(value)}`" for key, value in tuner.tried.items())
        rows.setdefault(f"| {settings or 'none'} | {tried or 'the defaults'} |", []).append(f"`{name}`")
    return "\n".join([*lines, *(f"| {', '.join(names)} {row}" for row, names in rows.items())])


# -- the table of data sets --------------------------------------------------------------------------------------------


def datasets_table(name: str) -> str:
    """The data sets that are known before they are fetched, and the studies that ship and read them."""
    import yaml

    known = yaml.safe_load((ROOT / "resources" / "datasets.yaml").read_text(encoding="utf-8"))
    studies: dict[str, list[str]] = {}
    for file in sorted((ROOT / "config").glob("*.yaml")):
        for task in yaml.safe_load(file.read_text(encoding="utf-8")).get("tasks", {}).values():
            source = task["source"]
            if source["kind"] == "hub":
                studies.setdefault(" ".join(filter(None, (source["path"], source.get("name")))), []).append(file.name)
    lines = ["| data set | kind of task | rows | licence | layout | studies |", "| --- | --- | --- | --- | --- | --- |"]
    for key, facts in known.items():
        path, _, configuration = key.partition(" ")
        title = f"[`{path}`](https://huggingface.co/datasets/{path})" + f" `{configuration}`" * bool(configuration)
        rows = ", ".join(f"{split} {count:,}" for split, count in facts["rows"].items())
        links = ", ".join(f"[`{file}`](../config/{file})" for file in studies[key])
        lines.append(f"| {title} | `{facts['task']}` | {rows} | {facts['licence']} | {facts['layout']} | {links} |")
    return "\n".join(lines)


# -- the map of the package --------------------------------------------------------------------------------------------


def package_map(name: str) -> str:
    """Each room, from the top layer down, with its sub-packages: the first sentences of their docstrings."""
    import tomllib

    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    rooms = next(contract["layers"] for contract in contracts if contract["type"] == "layers")
    lines = ["| room | what happens in it | modules |", "| --- | --- | --- |"]
    for room in rooms:
        for folder in [PACKAGE / room, *sorted(path.parent for path in (PACKAGE / room).rglob("*/__init__.py"))]:
            names = sorted(file.stem for file in folder.glob("*.py") if file.stem != "__init__")
            path = folder.relative_to(PACKAGE).as_posix()
            lines.append(f"| `{path}/` | {first_sentence(folder / '__init__.py')} | {', '.join(names)} |")
    return "\n".join(lines)


def first_sentence(file: Path) -> str:
    text = ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or ""
    return " ".join(re.split(r"(?<=\.)\s|\n\n", text, maxsplit=1)[0].split())


if __name__ == "__main__":
    sys.exit(main())
