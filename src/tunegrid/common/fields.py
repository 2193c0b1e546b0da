"""Typed, closed settings: the base class of every part of a study's configuration."""

import difflib
from collections.abc import Collection, Iterable
from functools import cache
from typing import Annotated, Any, Union

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator
from pydantic_core import ErrorDetails, PydanticCustomError

Place = tuple[str | int, ...]  # the way to a value: ("overrides", 2, "training", "learning_rate")
Count = Annotated[int, Field(ge=0)]
Finite = Annotated[float, Field(allow_inf_nan=False)]
# The value of a metric, of a correlation from -1. Records of earlier versions overshoot a perfect 1 by a few units of
# the last place.
MetricValue = Annotated[float, Field(ge=-1, le=1 + 1e-9, allow_inf_nan=False)]
Quantity = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Seconds = Quantity
NonEmpty = Annotated[str, Field(min_length=1)]


def is_blank(text: str) -> bool:
    """Tells whether a reader of a text sees nothing: it is empty, or all spaces and invisible characters."""
    return not any(character.isprintable() and not character.isspace() for character in text)


def not_blank(text: str) -> str:
    """The text. Raises ValueError if it is blank."""
    if is_blank(text):
        raise ValueError("a text is required, but this is blank")
    return text


def _on_one_line(text: str) -> str:
    return "" if is_blank(text) else " ".join(text.split())


def _word(text: str) -> str:
    if not_blank(text) != (clean := " ".join(text.split())):
        raise ValueError(f"spaces or line breaks that no vocabulary keeps: write {clean!r}")
    return text


# What stands in tables: line breaks become spaces; blank is as if it was not given.
Title = Annotated[str, Field(max_length=200), AfterValidator(_on_one_line)]
Text = Annotated[str, AfterValidator(not_blank)]  # an id, a path, the name of a column
# What a model writes and a row holds: not blank, without spaces around it.
Word = Annotated[str, Field(max_length=200), AfterValidator(_word)]

# Every number of a study has a lower and an upper bound, so that a slip of the pen ends before the first job. Those of
# sizes are beyond what is known to be of use: they keep estimates finite, and are no advice.
MOST_STEPS = 10_000_000
MOST_ROWS = 1_000_000_000
MOST_TOKENS = 65_536  # of a source, a target or an answer
Seed = Annotated[int, Field(ge=0, lt=2**32)]

# Names become folder names, rule names and job names, where "_" separates task, model and method.
Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9]+([.-][A-Za-z0-9]+)*$", max_length=64)]


def one_of(settings: Iterable[type[BaseModel]]) -> Any:
    """A union of kinds of settings, which the key `kind` tells apart."""
    return Annotated[Union[tuple(settings)], Field(discriminator="kind")]  # noqa: UP007 (built from what is given)


def did_you_mean(given: object, valid: Iterable[object]) -> str:
    """A hint for an unknown name: the closest valid one, then all of them."""
    names = sorted(str(name) for name in valid)
    close = difflib.get_close_matches(str(given), names, n=1, cutoff=0.5)
    hint = f"Did you mean {close[0]}? " if close else ""
    return f"{hint}Valid: {', '.join(names) or 'none'}"


def check_known(names: Iterable[str], valid: Collection[str], what: str) -> None:
    """Raises ValueError for the first name that is not valid, which `what` says in words ("a label")."""
    for name in names:
        if name not in valid:
            raise ValueError(f"{name!r} is not {what}. {did_you_mean(name, valid)}")


def check_distinct(names: list[Any] | None) -> list[Any] | None:
    """Returns the names; raises ValueError with the first that is listed twice."""
    for number, name in enumerate(names or ()):
        if name in names[:number]:
            raise ValueError(f"{name} is listed twice")
    return names


@cache
def _keys(cls: type[BaseModel]) -> dict[str, None]:
    """The keys of a class's settings, in their order."""
    return dict.fromkeys(field.alias or name for name, field in cls.model_fields.items())


class Closed(BaseModel):
    """Settings that reject unknown keys, do not coerce types and cannot be changed once read."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, populate_by_name=False)

    @model_validator(mode="before")
    @classmethod
    def _name_unknown_keys(cls, data: object) -> object:
        # Pydantic's own message names neither the valid keys nor the closest one.
        if isinstance(data, dict):
            valid = _keys(cls)
            for key in data:
                if key not in valid:
                    message = f"unknown key. {did_you_mean(key, valid)}"
                    raise PydanticCustomError("unknown_key", "{message}", {"message": message, "key": str(key)})
        return data


def problem_place(problem: ErrorDetails) -> Place:
    """The way to the value that a problem is about; pydantic puts an unknown key (see Closed) at its object."""
    return (*problem["loc"], problem["ctx"]["key"]) if problem["type"] == "unknown_key" else problem["loc"]


def explain(error: ValidationError) -> str:
    """The first few problems of a validation on one line, for a person: `cost.steps: Field required; …`."""
    problems = []
    for problem in error.errors(include_url=False):
        place = problem_place(problem)
        problems.append(".".join(map(str, place)) + (": " if place else "") + problem["msg"])
    more = f"; and {len(problems) - 3} more" if len(problems) > 3 else ""
    return "; ".join(problems[:3]) + more
