"""A packaged mini model behind the server's interface, and requests to it without a network."""

import asyncio
from typing import Any

from pydantic import TypeAdapter

from tests.support import ROOT
from tunegrid.models import FAMILIES
from tunegrid.tasks import TASKS

QA = {
    "kind": "qa", "max_source_length": 96, "max_target_length": 8, "generation": {"max_new_tokens": 8},
    "long_contexts": "windows", "window_overlap": 8,
}  # fmt: skip
SENTIMENT = {
    "kind": "sentiment", "max_source_length": 64, "max_target_length": 4, "generation": {"max_new_tokens": 3},
}  # fmt: skip


def packaged(settings: dict[str, Any], family: str = "t5"):
    """What a server needs of a packaged model, untuned."""
    from tunegrid.data.tokens import load_tokenizer
    from tunegrid.deploy.server import Served
    from tunegrid.models.load import load_model
    from tunegrid.tasks.predict import predict_rows
    from tunegrid.tasks.tokenise import tokenise_unlabelled

    source = {"kind": "generated", "rows": {"train": 1, "validation": 1, "test": 1}}
    kind = TASKS[settings["kind"]]
    task = kind(TypeAdapter(kind.Settings).validate_python({**settings, "source": source}), FAMILIES[family])
    folder = ROOT / "resources/models" / family
    model, tokenizer = load_model(folder).eval(), load_tokenizer(folder)

    def answer(rows):
        tokens = tokenise_unlabelled(task, family, tokenizer, rows)
        predicted = predict_rows(model, tokenizer, task, tokens, len(rows), precision="fp32")
        more = [{}] * len(rows) if predicted.columns is None else predicted.columns.to_dict("records")
        pairs = zip(predicted.texts, more, strict=True)
        return [
            {"prediction": text, **{k: v for k, v in further.items() if v == v}} for text, further in pairs
        ]  # not NaN

    run = {
        "task": "The task",
        "model": "T5 <mini>",
        "method": "none",
        "seed": "1",
        "engine": "transformers",
        "study": "s",
    }
    return Served(task, answer, run, "# The card\n\nWith <tags> & more.\n")


def talk(app, *requests: dict[str, Any]) -> list[Any]:
    """The responses to requests that are sent at once: keyword arguments of httpx, `method` and `url` among them.

    An error that the application does not turn into a response is raised.
    """
    import httpx

    async def all_of_them():
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost", timeout=60) as client:
            return await asyncio.gather(*(client.request(**request) for request in requests))

    return asyncio.run(all_of_them())


def asked(content: Any, **more: Any) -> dict[str, Any]:
    return {"method": "POST", "url": "/predict", "json": content, **more}
