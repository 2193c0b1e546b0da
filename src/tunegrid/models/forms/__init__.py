"""Other forms of a model's weights: fewer bits, weights or layers. Each kind is one file, found by its name."""

from tunegrid.models.forms.base import Form
from tunegrid.models.forms.bf16 import Bf16
from tunegrid.models.forms.int8 import Int8
from tunegrid.models.forms.pruned import Pruned
from tunegrid.models.forms.student import Student

KINDS: tuple[type[Form], ...] = (Int8, Bf16, Pruned, Student)
NAMES = [name for kind in KINDS for name in kind.names]  # as the documents write them


def form_named(name: str) -> Form:
    """The form with a name such as `int8` or `prune-30`. Raises ValueError for one that there is not."""
    for kind in KINDS:
        if (form := kind.named(name)) is not None:
            return form
    raise ValueError(
        f"unknown: {name!r}. Available: {', '.join(NAMES)}, where 30 may be any whole percentage, and "
        "12 and 3 any numbers of layers of encoder and decoder"
    )


__all__ = ["KINDS", "NAMES", "Form", "form_named"]
