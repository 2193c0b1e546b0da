"""Settings of how test rows are predicted: `evaluation:` of a study."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from tunegrid.common.fields import Closed

Engine = Literal["transformers", "ctranslate2"]


class Evaluation(Closed):
    """How test rows are predicted. Validation during training and the search predict with transformers."""

    engine: Engine = Field(
        "transformers",
        description=(
            "`ctranslate2`: models are merged, converted and computed by CTranslate2, an extra "
            "(`make setup EXTRAS=serve`)."
        ),
    )
