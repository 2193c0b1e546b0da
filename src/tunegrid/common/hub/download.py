"""Everything that speaks with the Hugging Face Hub: which commit a revision is, and the files of a commit.

Files go to the Hub's own cache, which HF_HOME moves: several studies share it, and a download that was cut off goes on
where it stopped. Each file is held against the hash that the Hub's listing of the commit gives for it, so that neither
a bad network nor a spoilt cache gets into a study. HF_ENDPOINT and HF_TOKEN are honoured by the library.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import threading
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from huggingface_hub import HfApi, constants, hf_hub_download
from huggingface_hub.file_download import repo_folder_name

from tunegrid.common.errors import TuneGridError
from tunegrid.common.hub.client import connection, persistently
from tunegrid.common.hub.dataset_files import DESCRIPTIONS, chosen_files, configured_files
from tunegrid.common.hub.errors import DISK_FULL, Hiccup, Kind, Repo, disk_full, explain, scrub
from tunegrid.common.words import megabytes

REPORT_EVERY = 30.0  # seconds between two lines about a long download
COMMIT = re.compile(r"[0-9a-f]{40}")
HASH = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
WEIGHTS, WEIGHTS_INDEX = "model.safetensors", "model.safetensors.index.json"
SHARD = re.compile(r"model-\d+-of-\d+\.safetensors")
# Beside the weights: configuration and tokenizer, at the top of the repository, where transformers looks for them.
SMALL_FILES = (".json", ".model", ".txt")
OF_OTHER_FRAMEWORKS = ("flax_", "onnx", "pytorch_", "rust_", "tf_")


def resolve(kind: Kind, repo_id: str, revision: str | None) -> str:
    """The commit that a revision (None: the default branch) is now.

    Raises:
        TuneGridError: there is none, or the Hub cannot be asked; the message says which and what to do.
    """
    with connection(repo := Repo(kind, repo_id, revision)):
        return _commit_of(repo, _ask(repo, revision))


def download_model(repo_id: str, commit: str) -> list[Path]:
    """Puts what a model needs into the Hub's cache; returns the files there: weights, tokenizer, configuration.

    Raises:
        TuneGridError: it cannot be had, or has no safetensors weights.
    """
    with connection(repo := Repo("model", repo_id, commit)):
        return _fetch(repo, _model_files(repo, _listing(repo, commit)))


def download_dataset(repo_id: str, commit: str, name: str | None, splits: Collection[str]) -> Path:
    """Puts the data files of a configuration into the Hub's cache; returns the folder of the commit there.

    Where the data set's README says which files hold the splits, these are fetched and no others.

    Raises:
        TuneGridError: it cannot be had, has no data files, or not this configuration or one of these splits.
    """
    with connection(repo := Repo("data set", repo_id, commit)):
        listing = _listing(repo, commit)
        _fetch(repo, [file for file in listing if file.name in DESCRIPTIONS])
        folder = _snapshot(repo)
        names = chosen_files([file.name for file in listing], configured_files(folder, name, splits, str(repo)))
        if not names:
            raise TuneGridError(
                f"{repo}: there are no Parquet, JSON or CSV files. A data set that needs its own script is not read: "
                f"that would run code from outside. {repo.page} may have a Parquet version: "
                "`revision: refs/convert/parquet`."
            )
        _fetch(repo, [file for file in listing if file.name in names])
        return folder


# -- the files of a commit --------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class File:
    """A file of a commit, as the Hub lists it."""

    name: str
    size: int
    git: str  # its hash as git names it, over a header and the content
    sha256: str | None  # of a large file: git holds a pointer to it only

    @property
    def etag(self) -> str:
        """Its name in the cache."""
        return self.sha256 or self.git

    def is_whole(self, path: Path) -> bool:
        if path.stat().st_size != self.size:
            return False
        digest = hashlib.sha256() if self.sha256 else hashlib.sha1(b"blob %d\0" % self.size, usedforsecurity=False)
        with path.open("rb") as stream:
            while piece := stream.read(1 << 20):
                digest.update(piece)
        return digest.hexdigest() == self.etag


def _ask(repo: Repo, revision: str | None, **options: Any) -> Any:
    """The Hub's description of a repository at a revision."""
    return persistently(
        lambda: HfApi().repo_info(
            repo.id, repo_type=repo.type, revision=revision, timeout=constants.HF_HUB_ETAG_TIMEOUT, **options
        )
    )


def _commit_of(repo: Repo, info: Any) -> str:
    if not COMMIT.fullmatch(str(info.sha)):
        raise TuneGridError(f"{repo}: what answers at {constants.ENDPOINT} is not the Hub: it gives no commit.")
    return info.sha


def _listing(repo: Repo, commit: str) -> list[File]:
    info = _ask(repo, commit, files_metadata=True)
    if (found := _commit_of(repo, info)) != commit:
        raise TuneGridError(f"{repo}: the Hub answers with the files of another commit, {found}.")
    files = [
        File(entry.rfilename, entry.size, entry.blob_id, entry.lfs.sha256 if entry.lfs else None)
        for entry in info.siblings or []
    ]
    for file in files:  # hashes become names of files
        if not isinstance(file.size, int) or not HASH.fullmatch(str(file.etag)):
            raise TuneGridError(f"{repo}: what answers is not the Hub: it lists {file.name} without a size and a hash.")
    return files


def _model_files(repo: Repo, listing: list[File]) -> list[File]:
    names = {file.name for file in listing}
    if WEIGHTS in names:
        weights = {WEIGHTS}
    elif WEIGHTS_INDEX in names:
        weights = {WEIGHTS_INDEX} | set(filter(SHARD.fullmatch, names))
    else:
        raise TuneGridError(
            f"{repo}: there are no safetensors weights ({WEIGHTS}). Pickled ones can run code and are not loaded. "
            f"See whether {repo.page} has a revision with safetensors (refs/pr/…), or convert the model with "
            "`model.save_pretrained(folder, safe_serialization=True)` and use `kind: directory`."
        )
    small = {
        name
        for name in names
        if "/" not in name and name.endswith(SMALL_FILES) and not name.endswith(".index.json")
        if not name.startswith(OF_OTHER_FRAMEWORKS)
    }
    return [file for file in listing if file.name in weights | small]


def _fetch(repo: Repo, files: list[File]) -> list[Path]:
    """Brings files into the cache, one after the other; returns their places in the snapshot of the commit."""
    blobs, snapshot = _storage(repo) / "blobs", _snapshot(repo)
    missing = [file for file in files if not (blobs / file.etag).exists() and not (snapshot / file.name).exists()]
    needed = sum(file.size - _size(_unfinished(repo, file)) for file in missing)
    free = shutil.disk_usage(next(folder for folder in blobs.parents if folder.exists())).free
    if needed > free:
        raise TuneGridError(f"{repo}: {disk_full(needed, free)}")
    if missing:
        what = ", ".join(file.name for file in missing)
        print(scrub(f"{repo}: fetching {megabytes(needed)} into {constants.HF_HUB_CACHE}: {what}"), flush=True)
    return [_fetch_one(repo, file) for file in files]


def _fetch_one(repo: Repo, file: File) -> Path:
    unfinished = _unfinished(repo, file)

    def once() -> Path:
        if _size(unfinished) > file.size:  # nothing that could go on
            unfinished.unlink()
        path = Path(hf_hub_download(repo.id, file.name, repo_type=repo.type, revision=repo.revision))
        if not file.is_whole(path):
            path.resolve().unlink()
            path.unlink(missing_ok=True)
            raise Hiccup("the file arrived, but with another content than the Hub lists for it", answered=True)
        return path

    try:
        with _reported(f"{repo.kind} {repo.id}", file, unfinished):
            return persistently(once, lambda: _size(unfinished))
    except OSError as error:
        if error.errno in DISK_FULL:
            free = shutil.disk_usage(unfinished.parent).free
            raise TuneGridError(f"{repo}: {disk_full(file.size - _size(unfinished), free)}") from None
        raise explain(error, repo, _how_far(file, unfinished)) from None
    except (Exception, KeyboardInterrupt) as error:
        raise explain(error, repo, _how_far(file, unfinished)) from None


@contextmanager
def _reported(name: str, file: File, unfinished: Path) -> Iterator[None]:
    """Now and then a line says how far a download is.

    Instead of the library's progress bar, which shows the end of the address: a signature that gives access, say.
    """
    done = threading.Event()

    def report() -> None:
        while not done.wait(REPORT_EVERY):
            print(scrub(f"{name}: {_how_far(file, unfinished)}"), flush=True)

    threading.Thread(target=report, daemon=True).start()
    try:
        yield
    finally:
        done.set()


def _how_far(file: File, unfinished: Path) -> str:
    return f"{file.name} ({megabytes(_size(unfinished))} of {megabytes(file.size)} there)"


def _storage(repo: Repo) -> Path:
    """The repository's folder in the Hub's cache."""
    return Path(constants.HF_HUB_CACHE).absolute() / repo_folder_name(repo_id=repo.id, repo_type=repo.type)


def _snapshot(repo: Repo) -> Path:
    """The folder of the repository's files at a commit."""
    return _storage(repo) / "snapshots" / str(repo.revision)


def _unfinished(repo: Repo, file: File) -> Path:
    """Where the library keeps what it has of a file, to go on from there."""
    return _storage(repo) / "blobs" / f"{file.etag}.incomplete"


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
