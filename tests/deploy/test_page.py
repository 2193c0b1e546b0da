"""The pages of `tunegrid serve` and the headers that they come with."""

import base64
import hashlib
import re
import shutil

import pytest

from tunegrid.common.package_data import templates_folder
from tunegrid.deploy import page
from tunegrid.report import templates

RUN = {"task": "A task", "model": "A model", "method": "a method", "seed": "1", "engine": "transformers"}


@pytest.fixture
def own_templates(tmp_path, monkeypatch):
    folder = shutil.copytree(templates_folder(), tmp_path / "templates")
    monkeypatch.setattr(templates, "templates_folder", lambda: folder)
    page.security_headers.cache_clear()
    templates.file_text.cache_clear()
    yield folder
    page.security_headers.cache_clear()
    templates.file_text.cache_clear()


def test_the_script_of_a_page_is_the_one_that_its_headers_allow_also_after_an_upgrade(own_templates, tiny_study):
    task = tiny_study().task("qa")
    allowed = re.search(r"script-src 'sha256-([^']+)'", page.security_headers()["Content-Security-Policy"])[1]
    script = own_templates / "serve.js"
    script.write_text(script.read_text() + "// of a newer version\n")
    shown = re.search(r"<script>(.*)</script>", page.try_page(task, RUN, wants_token=False), re.DOTALL)[1]
    assert base64.b64encode(hashlib.sha256(shown.encode()).digest()).decode() == allowed
