"""What can go wrong with the Hugging Face Hub, in words for people. No word of them holds a token."""

from __future__ import annotations

import errno
import logging
import re
from dataclasses import dataclass
from typing import Literal

import requests
from huggingface_hub import constants, errors, get_token

from tunegrid.common.errors import TuneGridError
from tunegrid.common.words import megabytes

Kind = Literal["model", "data set"]
# Also a quota that is used up, and a file above what the file system or the process may write.
DISK_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
NO_WRITING = (errno.EACCES, errno.EPERM, errno.EROFS)
HIDDEN = "(hidden)"


@dataclass(frozen=True)
class Repo:
    """A repository of the Hub, at what the study calls it."""

    kind: Kind
    id: str
    revision: str | None = None

    @property
    def type(self) -> str:
        """What huggingface_hub calls the kind."""
        return "model" if self.kind == "model" else "dataset"

    @property
    def page(self) -> str:
        return f"{constants.ENDPOINT}/{'' if self.kind == 'model' else 'datasets/'}{self.id}"

    def __str__(self) -> str:
        return f"{self.kind} {self.id} (revision {self.revision or 'default'})"


class Hiccup(Exception):
    """A failure that may pass by itself. `pause`: seconds that the server asked for before the next try."""

    def __init__(self, reason: str, *, answered: bool, pause: float = 0.0) -> None:
        super().__init__(reason)
        self.answered = answered  # there was an answer, or part of one: the network is not what is missing
        self.pause = pause


def passes(error: BaseException) -> bool:
    """Whether a failure may pass by itself, so that another try is worth it."""
    if isinstance(error, requests.exceptions.SSLError):
        return False
    broken = (requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError)
    # huggingface_hub's error for a file that arrived too short, or too long, has no class of its own.
    return isinstance(error, (Hiccup, *broken)) or "Consistency check failed" in str(error)


def scrub(text: str) -> str:
    """A text without what must not be seen: the token, passwords and signatures in addresses."""
    text = re.sub(r"(\w+://)[^/@\s]+@", rf"\1{HIDDEN}@", text)
    text = re.sub(r"(https?://[^\s?'\"<>]+)\?[^\s'\"<>)]+", rf"\1?{HIDDEN}", text)
    if token := get_token():
        text = text.replace(token, HIDDEN)
    return re.sub(r"\bhf_[A-Za-z0-9]{16,}", HIDDEN, text)


class ScrubLog(logging.Filter):
    """Scrubs the lines of a logger: libraries log addresses."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg, record.args = scrub(record.getMessage()), ()
        return True


def explain(error: BaseException, repo: Repo, part: str = "") -> TuneGridError:
    """The error as a message: what is wrong and what to do. `part`: the file that it happened to, and how far."""
    place = f"{repo}, {part}" if part else str(repo)
    return TuneGridError(scrub(f"{place}: {_words(error, repo)}"))


def offline(repo: Repo) -> TuneGridError:
    return TuneGridError(
        f"{repo}: cannot be fetched: HF_HUB_OFFLINE (or TRANSFORMERS_OFFLINE) is set. Unset it for the fetch commands; "
        "the jobs after them set it themselves."
    )


def disk_full(needed: int | None = None, free: int | None = None) -> str:
    sizes = f" ({megabytes(needed)} needed, {megabytes(free)} free)" if needed is not None and free is not None else ""
    return (
        f"no space left for the Hub's files in {constants.HF_HUB_CACHE}{sizes}: the disk, or your quota, is full. "
        f"Make room, or set HF_HOME to a folder on a larger disk. {goes_on()}"
    )


def goes_on() -> str:
    return "What has been downloaded is kept, and the next call goes on where this one stopped."


def _words(error: BaseException, repo: Repo) -> str:
    # huggingface_hub reports a failed look-up of a file as "not in the local cache", with the failure as its cause.
    if isinstance(error, errors.LocalEntryNotFoundError) and error.__cause__ is not None:
        error = error.__cause__
    status = getattr(getattr(error, "response", None), "status_code", None)
    if isinstance(error, errors.GatedRepoError):
        let_in = "The token that is set is of an account that is not let in (yet): " if get_token() else ""
        return (
            f"access is gated. {let_in}accept the terms on {repo.page} with your account, then set HF_TOKEN to a token "
            "of that account (on the Hub: Settings, Access Tokens)."
        )
    if isinstance(error, errors.RevisionNotFoundError):
        return (
            f"there is no such revision. {repo.page} lists the branches, tags and commits; "
            "without `revision` the default branch is taken."
        )
    if isinstance(error, errors.RepositoryNotFoundError):
        return (
            f"there is no such {repo.kind} on {constants.ENDPOINT}, or it is private. Check the id; for a private one "
            "set HF_TOKEN to a token of an account that may read it."
        )
    if status == 401:
        return (
            f"{constants.ENDPOINT} refuses the token: it is not valid (any more). Set HF_TOKEN to a valid one, or take "
            f"it away (HF_TOKEN, {constants.HF_TOKEN_PATH}): what is public needs none."
        )
    if status == 403:
        return f"access is forbidden ({_short(error)}). Check on {repo.page} what your account, or your token, may do."
    if isinstance(error, errors.HFValidationError):
        return "this is no id of the Hub; one reads google-t5/t5-base or rajpurkar/squad."
    if isinstance(error, (errors.FileMetadataError, requests.exceptions.JSONDecodeError)):
        return (
            f"what answers at {constants.ENDPOINT} is not the Hub ({_short(error)}). Check HF_ENDPOINT, and whether a "
            "proxy or a log-in page stands between."
        )
    if isinstance(error, requests.exceptions.SSLError):
        return f"no secure connection to {constants.ENDPOINT}: {reason(error)}. Check the proxy and certificates."
    if isinstance(error, KeyboardInterrupt):
        return f"interrupted. {goes_on()}"
    if isinstance(error, Hiccup) and error.answered:
        return f"{_short(error)}, and more tries did not help. Try again later. {goes_on()}"
    if isinstance(error, requests.exceptions.ChunkedEncodingError) or "Consistency check failed" in str(error):
        return (
            f"the file ends too early ({reason(error)}), and more tries did not help. Check the network and try "
            f"again. {goes_on()}"
        )
    if passes(error):
        return (
            f"{constants.ENDPOINT} cannot be reached ({reason(error)}). Fetching needs a machine with a network; "
            f"on a cluster run the fetch commands on the login node. {goes_on()}"
        )
    if isinstance(error, OSError) and error.errno in DISK_FULL:
        return disk_full()
    if isinstance(error, OSError) and error.errno in NO_WRITING:
        return f"{error}. Set HF_HOME to a folder that you may write to."
    return f"cannot be fetched: {type(error).__name__}: {_short(error)}"


def reason(error: BaseException) -> str:
    """What the system said, without the layers of libraries around it."""
    while inner := error.__cause__ or error.__context__:
        error = inner
    return _short(error)


def _short(error: BaseException) -> str:
    """The text of an error on one line."""
    text = scrub(" ".join(str(error).split())) or type(error).__name__  # before it is cut: half a token is one too
    return text if len(text) <= 240 else text[:240] + "…"
