"""What the pinned peft and adapters libraries can do with encoder-decoders: settings, and what was found with them.

The files of `resources/tuners/` are written by `python -m tests.tuners`, which puts every tuner of a library into
small models of each family, trains it, and compares: generation against training, the loaded model against the saved
one, the merged one against the unmerged one. Reading them needs no library, so that a study is checked at once.
"""

from __future__ import annotations

from functools import cache
from math import isfinite
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict
from pydantic_core import PydanticCustomError

from tunegrid.common.fields import did_you_mean
from tunegrid.common.package_data import tuners_folder
from tunegrid.models.families import Family, Role

Library = Literal["peft", "adapters"]
STEPS = {
    "inject": "it cannot be put into the model",
    "train": "it cannot be trained",
    "agree": "what it generates is not what it was trained to",
    "reload": "the model that is loaded is not the one that was saved",
}
MOST = 65_536  # of a whole number that is no seed
MOST_FLOAT = 1e6
TYPES = {"integer": int, "number": (int, float), "string": str, "boolean": bool, "null": type(None), "array": list}


class Setting(BaseModel):
    """One setting of a tuner, as the library's own configuration class declares it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    types: tuple[str, ...]
    values: tuple[str, ...] = ()  # of a text, or of a list's texts: all that are valid
    least: float | None = None  # of a number
    below: float | None = None  # what a number has to be less than
    required: bool = False
    default: Any = None

    def problem(self, name: str, value: Any) -> str | None:
        """Why the value is none of this setting; None if it is."""
        if isinstance(value, bool):
            fits = "boolean" in self.types
        else:
            fits = any(isinstance(value, TYPES[kind]) for kind in self.types if kind != "boolean")
        if not fits:
            return f"{' or '.join(self.types)} expected (found {value!r:.80})"
        if isinstance(value, list) and not (value and all(value.count(entry) == 1 for entry in value)):
            return f"different entries expected, one at least (found {value!r:.80})"
        for entry in value if isinstance(value, list) else [value] if isinstance(value, str) else []:
            if self.values and entry not in self.values:
                return f"unknown: {entry!r:.80}. {did_you_mean(str(entry), self.values)}"
        if isinstance(value, bool | str | list | None):
            return None
        most = MOST_FLOAT if isinstance(value, float) else 2**32 - 1 if "seed" in name or "key" in name else MOST
        if not isfinite(value) or abs(value) > most:
            return f"a number of at most {most:,.0f} expected (found {value!r})"
        if self.least is not None and value < self.least:
            return f"a number of at least {self.least:g} expected (found {value!r})"
        if self.below is not None and value >= self.below:
            return f"a number below {self.below:g} expected (found {value!r})"
        return None


class Verdict(BaseModel):
    """What was found with a tuner in the models of one family.

    Attributes:
        failed: the first step that failed (a key of `STEPS`); None: it works.
        reason: why it failed.
        unmerged: why there is no plain model with the same answers; None: there is.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    failed: Literal["inject", "train", "agree", "reload"] | None = None
    reason: str | None = None
    unmerged: str | None = None

    @property
    def refusal(self) -> str | None:
        return f"{STEPS[self.failed]} ({self.reason})" if self.failed else None


class Tuner(BaseModel):
    """A tuner of a library.

    Attributes:
        settings: name -> setting: those that a study may give.
        targets: roles of the linear layers that it changes by default; None: it chooses its places by itself.
        counted: how its parameters are counted before a run: in a model without weights ("meta"), or from models of
            one and two layers in each stack ("layers"); None: not, they depend on the weights.
        tried: the settings with which it was tried.
        families: family -> what was found.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    settings: dict[str, Setting] = {}
    targets: tuple[Role, ...] | None = None
    counted: Literal["meta", "layers"] | None = None
    tried: dict[str, Any] = {}
    families: dict[str, Verdict] = {}

    def verdict(self, family: Family) -> Verdict | None:
        """What was found in models built like those of a family; None: no such models were tried."""
        return self.families.get(alike(family) or "")

    def refusal(self, family: Family) -> str | None:
        """Why the tuner cannot be used with models of a family; None: nothing is known against it."""
        verdict = self.verdict(family)
        return verdict.refusal if verdict else None

    def why_unmerged(self, name: str, family: Family, settings: dict[str, Any]) -> str | None:
        """The reason why the model with this tuner is not known to become a plain one with the same answers."""
        verdict = self.verdict(family)
        if verdict is None:
            return f"merging {name} was not tried with models like these"
        if verdict.unmerged:
            return f"{name} has no plain model with the same answers ({verdict.unmerged})"
        return f"merging {name} was not tried with these settings" if self.switched(settings) else None

    def switched(self, settings: dict[str, Any]) -> bool:
        """Whether true/false or a word among the settings is another than in the trials: another computation."""
        words = {key: value for key, value in settings.items() if isinstance(value, bool | str)}
        return any(value != self.tried.get(key, self.settings[key].default) for key, value in words.items())

    def problem(self, name: str, settings: dict[str, Any]) -> tuple[str, str] | None:
        """The key of the first setting that is wrong in its context, and why; None: all are right."""
        for key, value in settings.items():
            if key not in self.settings:
                reason = f"unknown key. {did_you_mean(key, self.settings)}"
                if key in ("target_modules", "feedforward_modules"):
                    reason = "unknown key. Name roles of linear layers in `targets` instead, the same for all families"
                return key, f"{reason} ({name})"
            if problem := self.settings[key].problem(key, value):
                return key, f"{problem} ({name})"
        if missing := [key for key, setting in self.settings.items() if setting.required and key not in settings]:
            return missing[0], f"required by {name}, but not given"
        return None

    def check(self, name: str, settings: dict[str, Any]) -> None:
        """Raises PydanticCustomError with the `key` of the first setting that is wrong in its context."""
        if problem := self.problem(name, settings):
            key, message = problem
            raise PydanticCustomError("unknown_key", "{message}", {"message": message, "key": key})


class Tuners(BaseModel):
    """The tuners of one version of a library."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    library: Library
    version: str
    tuners: dict[str, Tuner]

    def exact_name(self, given: str) -> str:
        """A tuner's name as the library writes it. Raises ValueError."""
        if given not in self.tuners:
            raise ValueError(f"unknown: {given!r:.80}. {did_you_mean(given, self.tuners)}")
        return given

    def name(self, given: str) -> str:
        """The library's spelling of a tuner's name: case, spaces, - and _ do not matter. Raises ValueError."""
        names = {_plain(name): name for name in self.tuners}
        if _plain(given) not in names:
            raise ValueError(f"unknown: {given!r}. {did_you_mean(given.upper(), self.tuners)}")
        return names[_plain(given)]


@cache
def tuners(library: Library) -> Tuners:
    """The tuners of a library, as they were tried."""
    return Tuners.model_validate_json((tuners_folder() / f"{library}.json").read_text(encoding="utf-8"))


def alike(family: Family) -> str | None:
    """The family of the trials whose models are built like those of a family; None: there is none."""
    if set(family.model_types) <= {"t5", "mt5"}:
        return "flan-t5" if family.gated else "t5"
    return "bart" if family.model_types == ["bart"] else None


def _plain(name: str) -> str:
    return name.casefold().replace("-", "").replace("_", "").replace(" ", "")
