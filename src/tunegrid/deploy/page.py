"""The pages of the server: one to try the run, one on its interface. They load nothing from elsewhere."""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from typing import Any

from markupsafe import Markup

from tunegrid.report.templates import environment, file_text
from tunegrid.tasks import Task


def try_page(task: Task, run: dict[str, str], *, wants_token: bool) -> str:
    """The page to try a run: its fields, the answer with the scores of labels, the time it took, the model card."""
    fields = [{"name": name, "example": task.example.get(name, "A text.")} for name in task.source_columns]
    return _render("serve.html.j2", run=run, fields=fields, wants_token=wants_token)


def docs_page(schema: dict[str, Any], run: dict[str, str], address: str, *, wants_token: bool) -> str:
    """The page on the interface, from its description as OpenAPI; `address`: of the server, as it was asked."""
    return _render("serve-docs.html.j2", run=run, schema=schema, address=address, wants_token=wants_token)


@cache
def security_headers() -> dict[str, str]:
    """Headers of every response: pages run this one script and ask this one server."""
    digest = base64.b64encode(hashlib.sha256(file_text("serve.js").encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'; connect-src 'self'"
    return {
        "Content-Security-Policy": f"{policy}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "Cache-Control": "no-store",
    }


def _render(template: str, **values: Any) -> str:
    own = {"style": Markup(file_text("serve.css")), "script": Markup(file_text("serve.js"))}
    return environment(keep_trailing_newline=False).get_template(template).render(**values, **own)
