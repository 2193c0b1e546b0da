"""A small model on the Hub's test server: its files, fetching it, and what the server was asked for."""

import json
import random
from pathlib import Path

import pytest

from tests.support.hub_server import HubServer
from tunegrid.common.errors import TuneGridError
from tunegrid.common.hub import download as client

MEGABYTE = 1 << 20
PIECE = 10 * MEGABYTE  # huggingface_hub writes to the disk in pieces of this size
WEIGHTS = random.Random(0).randbytes(24 * MEGABYTE)
TOKEN = "hf_" + "Sesam0effne1dich" * 2
T5 = "google-t5/t5-tiny"
CONFIG = {"model_type": "t5", "vocab_size": 8, "d_model": 8, "d_kv": 4, "d_ff": 8, "num_heads": 2, "num_layers": 1}
SMALL = {"config.json": json.dumps(CONFIG).encode(), "tokenizer.json": b"{}", "spiece.model": b"pieces"}
FILES = {**SMALL, "model.safetensors": WEIGHTS}


def download(commit: str, id: str = T5) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in client.download_model(id, commit)}


def refused(call, *arguments) -> str:
    with pytest.raises(TuneGridError) as caught:
        call(*arguments)
    message = str(caught.value)
    assert "\n" not in message
    return message


def ranges(hub: HubServer, part: str) -> list[str]:
    """From where on the file was asked for, of each request to the storage."""
    gets = [request for request in hub.requests if request.storage and part in request.path]
    return [request.headers.get("range", "bytes=0-") for request in gets if request.method == "GET"]


def unfinished(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.glob("cache/*/blobs/*.incomplete"))
