"""Marks of tests that need an extra, which are skipped, with the reason, where it is not installed."""

from importlib.util import find_spec
from pathlib import Path

import pytest

_PLACE = find_spec("ctranslate2")
_ONNX = find_spec("onnxruntime")
# Folder that the extra was installed into, for processes that are to import nothing else of the repository.
EXTRAS = str(Path(_PLACE.origin).parents[1]) if _PLACE else ""
ONNX_EXTRAS = str(Path(_ONNX.origin).parents[1]) if _ONNX else ""

needs_ctranslate2 = pytest.mark.skipif(_PLACE is None, reason="CTranslate2 is not installed (make setup EXTRAS=serve)")
needs_onnx = pytest.mark.skipif(_ONNX is None, reason="what writes ONNX is not installed (make setup EXTRAS=onnx)")
needs_server = pytest.mark.skipif(
    find_spec("fastapi") is None, reason="the server's packages are not installed (make setup EXTRAS=serve)"
)
