"""Requests to the Hugging Face Hub: which commit a revision is, and the files of a commit.

Files go to the Hub's own cache, which HF_HOME moves: several studies share it, and a download that was cut off goes on
where it stopped. Each file is checked against the hash in the Hub's listing of the commit, so that neither a bad
network nor a spoilt cache gets into a study. HF_ENDPOINT and HF_TOKEN are honoured by the library.
"""

from __future__ import annotations

import hashlib
import logging
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
from huggingface_hub.utils import are_progress_bars_disabled, disable_progress_bars, enable_progress_bars

from tunegrid.common.digits import megabytes
from tunegrid.common.errors import TuneGridError
from tunegrid.common.hub.dataset_files import DESCRIPTIONS, chosen_files, configured_files
from tunegrid.common.hub.errors import DISK_FULL, Repo, RepoKind, ScrubLog, SpoiltFile, disk_full, explain, scrub
from tunegrid.common.hub.retry import retry

REPORT_EVERY = 30.0  # seconds between two lines about a long download
COMMIT = re.compile(r"[0-9a-f]{40}")
HASH = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
WEIGHTS, WEIGHTS_INDEX = "model.safetensors", "model.safetensors.index.json"
SHARD = re.compile(r"model-\d+-of-\d+\.safetensors")
LOGGERS = ("huggingface_hub", "httpx", "urllib3")  # libraries that log addresses
# Beside the weights: configuration and tokenizer, at the top of the repository, where transformers looks for them.
SMALL_FILES = (".json", ".model", ".txt")
OF_OTHER_FRAMEWORKS = ("flax_", "onnx", "pytorch_", "rust_", "tf_")


def resolve(kind: RepoKind, repo_id: str, revision: str | None) -> str:
    """The commit that a revision (None: the default branch) is now.

    Raises:
        TuneGridError: there is none, or the Hub cannot be asked; the message says which and what to do.
    """
    with connection(repo := Repo(kind, repo_id, revision)):
        return _describe(repo).sha


def download_model(repo_id: str, commit: str) -> list[Path]:
    """Puts what a model needs into the Hub's cache; returns the files there: weights, tokenizer, configuration.

    Raises:
        TuneGridError: it cannot be had, or has no safetensors weights.
    """
    with connection(repo := Repo("model", repo_id, commit)):
        return _fetch(repo, _model_files(repo, _list_files(repo)))


def download_dataset(repo_id: str, commit: str, name: str | None, splits: Collection[str]) -> Path:
    """Puts the data files of a configuration into the Hub's cache; returns the folder of the commit there.

    Where the data set's README says which files hold the splits, these are fetched and no others.

    Raises:
        TuneGridError: it cannot be had, has no data files, or not this configuration or one of these splits.
    """
    with connection(repo := Repo("data set", repo_id, commit)):
        listing, folder = _list_files(repo), _storage(repo) / "snapshots" / commit
        _fetch(repo, [file for file in listing if file.name in DESCRIPTIONS])
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
    etag: str  # its hash, which is its name in the cache: SHA-256 of a large file, of which git holds a pointer only
    blobs: Path  # the folder of the cache that holds it

    @property
    def unfinished(self) -> Path:
        """Where the library keeps what it has of the file, to go on from there."""
        return self.blobs / f"{self.etag}.incomplete"

    @property
    def received(self) -> int:
        """Bytes of the unfinished file."""
        return self.unfinished.stat().st_size if self.unfinished.exists() else 0

    @property
    def progress(self) -> str:
        return f"{self.name} ({megabytes(self.received)} of {megabytes(self.size)} there)"

    def matches(self, path: Path) -> bool:
        """Whether a file on the disk has the size and the hash that the Hub lists."""
        is_large = len(self.etag) == 64
        with path.open("rb") as stream:  # git's hash of a file is over a header and the content
            start = (
                hashlib.sha256 if is_large else lambda: hashlib.sha1(b"blob %d\0" % self.size, usedforsecurity=False)
            )
            return path.stat().st_size == self.size and hashlib.file_digest(stream, start).hexdigest() == self.etag


@contextmanager
def connection(repo: Repo) -> Iterator[None]:
    """Within, huggingface_hub logs no secret, and every failure leaves as a TuneGridError."""
    if constants.HF_HUB_OFFLINE:
        raise TuneGridError(
            f"{repo}: cannot be fetched: HF_HUB_OFFLINE (or TRANSFORMERS_OFFLINE) is set. Unset it for the fetch "
            "commands; the jobs after them set it themselves."
        )
    # Xet's own transfer starts a file anew after an interruption; plain HTTP goes on, and the Hub serves both.
    xet, constants.HF_HUB_DISABLE_XET = constants.HF_HUB_DISABLE_XET, True
    bars, scrubber = not are_progress_bars_disabled(), ScrubLog()
    loggers = [logging.getLogger(name) for name in logging.root.manager.loggerDict if name.startswith(LOGGERS)]
    for logger in loggers:
        logger.addFilter(scrubber)
    disable_progress_bars()
    try:
        yield
    except TuneGridError as error:
        raise TuneGridError(scrub(str(error))) from None
    except (Exception, KeyboardInterrupt) as error:
        raise TuneGridError(scrub(f"{repo}: {explain(error, repo)}")) from None
    finally:
        if bars:
            enable_progress_bars()
        for logger in loggers:
            logger.removeFilter(scrubber)
        constants.HF_HUB_DISABLE_XET = xet


def _describe(repo: Repo, **options: Any) -> Any:
    """The Hub's description of a repository at its revision."""
    options["timeout"] = constants.HF_HUB_ETAG_TIMEOUT
    info = retry(lambda: HfApi().repo_info(repo.id, repo_type=repo.type, revision=repo.revision, **options))
    if not COMMIT.fullmatch(str(info.sha)):
        raise TuneGridError(f"{repo}: what answers at {constants.ENDPOINT} is not the Hub: it gives no commit.")
    return info


def _list_files(repo: Repo) -> list[File]:
    """The files of a commit."""
    info = _describe(repo, files_metadata=True)
    if info.sha != repo.revision:
        raise TuneGridError(f"{repo}: the Hub answers with the files of another commit, {info.sha}.")
    blobs = _storage(repo) / "blobs"
    files = [
        File(entry.rfilename, entry.size, entry.lfs.sha256 if entry.lfs else entry.blob_id, blobs)
        for entry in info.siblings or []
    ]
    for file in files:  # hashes become names of files
        if not isinstance(file.size, int) or not HASH.fullmatch(str(file.etag)):
            raise TuneGridError(f"{repo}: what answers is not the Hub: it lists {file.name} without a size and a hash.")
    return files


def _model_files(repo: Repo, files: list[File]) -> list[File]:
    names = {file.name for file in files}
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
    return [file for file in files if file.name in weights | small]


def _fetch(repo: Repo, files: list[File]) -> list[Path]:
    """Brings files into the cache, one after the other; returns their places in the snapshot of the commit."""
    storage = _storage(repo)
    snapshot = storage / "snapshots" / str(repo.revision)
    missing = [file for file in files if not (file.blobs / file.etag).exists() and not (snapshot / file.name).exists()]
    needed = sum(file.size - file.received for file in missing)
    free = shutil.disk_usage(next(folder for folder in storage.parents if folder.exists())).free
    if needed > free:
        raise TuneGridError(f"{repo}: {disk_full(needed, free)}")
    if missing:
        names = ", ".join(file.name for file in missing)
        print(scrub(f"{repo}: fetching {megabytes(needed)} into {constants.HF_HUB_CACHE}: {names}"), flush=True)
    return [_fetch_file(repo, file) for file in files]


def _fetch_file(repo: Repo, file: File) -> Path:
    def download() -> Path:
        if file.received > file.size:  # not a beginning of this file
            file.unfinished.unlink()
        path = Path(hf_hub_download(repo.id, file.name, repo_type=repo.type, revision=repo.revision))
        if not file.matches(path):
            path.resolve().unlink()
            path.unlink(missing_ok=True)
            raise SpoiltFile("the file arrived, but with another content than the Hub lists for it")
        return path

    try:
        with _reported(repo, file):
            return retry(download, lambda: file.received)
    except (Exception, KeyboardInterrupt) as error:
        if isinstance(error, OSError) and error.errno in DISK_FULL:
            free = shutil.disk_usage(file.blobs).free
            raise TuneGridError(f"{repo}: {disk_full(file.size - file.received, free)}") from None
        raise TuneGridError(f"{repo}, {file.progress}: {explain(error, repo)}") from None


@contextmanager
def _reported(repo: Repo, file: File) -> Iterator[None]:
    """Prints the progress of a download now and then.

    Instead of the library's progress bar, which shows the end of the address: a signature that gives access, say.
    """
    done = threading.Event()

    def report() -> None:
        while not done.wait(REPORT_EVERY):
            print(scrub(f"{repo.kind} {repo.id}: {file.progress}"), flush=True)

    threading.Thread(target=report, daemon=True).start()
    try:
        yield
    finally:
        done.set()


def _storage(repo: Repo) -> Path:
    """The repository's folder in the Hub's cache."""
    return Path(constants.HF_HUB_CACHE).absolute() / repo_folder_name(repo_id=repo.id, repo_type=repo.type)
