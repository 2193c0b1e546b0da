"""Errors of the Hugging Face Hub in words for people. No message contains a token."""

from __future__ import annotations

import errno
import logging
import os
import re
import ssl
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal
from urllib.parse import unquote

from huggingface_hub import constants, errors, get_token

from tunegrid.common.digits import megabytes

RepoKind = Literal["model", "data set"]
# Also a quota that is used up, and a file above what the file system or the process may write.
DISK_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
NO_WRITING = (errno.EACCES, errno.EPERM, errno.EROFS)
HIDDEN = "(hidden)"
RESUMES = "What has been downloaded is kept, and the next call goes on where this one stopped."


@dataclass(frozen=True)
class Repo:
    """A repository of the Hub, at the revision that the study names."""

    kind: RepoKind
    id: str
    revision: str | None = None

    @property
    def type(self) -> str:
        """huggingface_hub's word for the kind."""
        return "model" if self.kind == "model" else "dataset"

    @property
    def page(self) -> str:
        return f"{constants.ENDPOINT}/{'' if self.kind == 'model' else 'datasets/'}{self.id}"

    def __str__(self) -> str:
        return f"{self.kind} {self.id} (revision {self.revision or 'default'})"


class SpoiltFile(Exception):
    """A file has arrived whose content is not what the Hub lists."""


def scrub(text: str) -> str:
    """A text without what must not be seen: the token, passwords and signatures in addresses."""
    for secret in _secrets():
        text = text.replace(secret, HIDDEN)
    text = re.sub(r"(\w+://)[^/\s'\"<>]+@", rf"\1{HIDDEN}@", text)
    text = re.sub(r"(?i)\b(basic|bearer)\s+[A-Za-z0-9+/=._~-]{6,}", rf"\1 {HIDDEN}", text)
    text = re.sub(r"(https?://[^\s?'\"<>]+)\?[^\s'\"<>)]+", rf"\1?{HIDDEN}", text)
    return re.sub(r"\bhf_[A-Za-z0-9]{16,}", HIDDEN, text)


def _secrets() -> list[str]:
    """The token, and the user's name with the password of each address in use, as they are and as headers have them."""
    found = {get_token() or ""}
    names = ["HF_ENDPOINT", "http_proxy", "https_proxy", "all_proxy"]
    names += [name.upper() for name in names]
    for address in (constants.ENDPOINT, *(os.environ.get(name, "") for name in names)):
        user = address.partition("://")[2].rpartition("@")[0]
        if user:
            decoded = unquote(user)
            found |= {user, decoded, user.partition(":")[2], decoded.partition(":")[2]}
    found |= {b64encode(text.encode()).decode() for text in found if text}
    # The longest first: a password is a part of the user's name with it. A word of three letters is no secret.
    return sorted((text for text in found if len(text) > 3), key=len, reverse=True)


class ScrubLog(logging.Filter):
    """Scrubs the lines of a logger: libraries log addresses."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg, record.args = scrub(record.getMessage()), ()
        return True


def unwrap(error: BaseException) -> BaseException:
    """The failure behind huggingface_hub's "not in the local cache", as which it reports a failed look-up."""
    wrapped = isinstance(error, errors.LocalEntryNotFoundError) and error.__cause__ is not None
    return error.__cause__ if wrapped else error


def chain(error: BaseException | None) -> Iterator[BaseException]:
    """The error and those that led to it."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def http_status(error: BaseException) -> int | None:
    """The status of the HTTP response that an error stands for; None where there was no response."""
    return getattr(getattr(error, "response", None), "status_code", None)


def is_overload(error: BaseException) -> bool:
    status = http_status(error)
    return status is not None and (status >= 500 or status in (408, 429))


def is_insecure(error: BaseException) -> bool:
    return any(isinstance(cause, ssl.SSLError) for cause in chain(error))


def is_too_short(error: BaseException) -> bool:
    """Whether a download broke off. huggingface_hub's own error for that has no class; the others are its client's."""
    broken_off = type(error).__name__ in ("ChunkedEncodingError", "RemoteProtocolError")
    return broken_off or "Consistency check failed" in str(error)


def is_connection_failure(error: BaseException) -> bool:
    """Whether an error is of huggingface_hub's HTTP client (requests before 1.0, httpx since), without a response."""
    of_client = type(error).__module__.partition(".")[0] in ("requests", "httpx")
    return of_client and http_status(error) is None and not isinstance(error, ValueError) and not is_insecure(error)


def is_transient(error: BaseException) -> bool:
    """Whether a failure may pass by itself, so that another try is worth it."""
    error = unwrap(error)
    return isinstance(error, SpoiltFile) or is_overload(error) or is_too_short(error) or is_connection_failure(error)


def reason(error: BaseException) -> str:
    """The innermost error's text, without the layers of libraries around it."""
    return _short(list(chain(error))[-1])


def _short(error: BaseException) -> str:
    """The text of an error on one line."""
    text = scrub(" ".join(str(error).split())) or type(error).__name__  # before it is cut: half a token is one too
    return text if len(text) <= 240 else text[:240] + "…"


def disk_full(needed: int | None = None, free: int | None = None) -> str:
    sizes = "" if needed is None or free is None else f" ({megabytes(needed)} needed, {megabytes(free)} free)"
    return (
        f"no space left for the Hub's files in {constants.HF_HUB_CACHE}{sizes}: the disk, or your quota, is full. "
        f"Make room, or set HF_HOME to a folder on a larger disk. {RESUMES}"
    )


def explain(error: BaseException, repo: Repo) -> str:
    """What an error means, and what to do about it, without what must not be seen."""
    return scrub(_explain(error, repo))


def _explain(error: BaseException, repo: Repo) -> str:
    error, hub = unwrap(error), constants.ENDPOINT
    status = http_status(error)
    if isinstance(error, errors.GatedRepoError):
        refused = "The token that is set is of an account that is not let in (yet): " if get_token() else ""
        return (
            f"access is gated. {refused}accept the terms on {repo.page} with your account, then set HF_TOKEN to a "
            "token of that account (on the Hub: Settings, Access Tokens)."
        )
    if isinstance(error, errors.RevisionNotFoundError):
        return (
            f"there is no such revision. {repo.page} lists the branches, tags and commits; "
            "without `revision` the default branch is taken."
        )
    if isinstance(error, errors.RepositoryNotFoundError):
        return (
            f"there is no such {repo.kind} on {hub}, or it is private. Check the id; for a private one set HF_TOKEN to "
            "a token of an account that may read it."
        )
    if status == 401:
        return (
            f"{hub} refuses the token: it is not valid (any more). Set HF_TOKEN to a valid one, or remove it "
            f"(HF_TOKEN, {constants.HF_TOKEN_PATH}): public repositories need none."
        )
    if status == 403:
        return f"access is forbidden ({_short(error)}). Check on {repo.page} what your account, or your token, may do."
    if is_overload(error):
        return f"{hub} answers HTTP {status}, and more tries did not help. Try again later. {RESUMES}"
    if isinstance(error, SpoiltFile):
        return f"{error}, and more tries did not help. Try again later. {RESUMES}"
    if isinstance(error, errors.HFValidationError):
        return "this is no id of the Hub; one reads google-t5/t5-base or rajpurkar/squad."
    if isinstance(error, errors.FileMetadataError) or type(error).__name__ == "JSONDecodeError":
        return (
            f"what answers at {hub} is not the Hub ({_short(error)}). Check HF_ENDPOINT, and whether a proxy or a "
            "log-in page stands between."
        )
    if is_insecure(error):
        return f"no secure connection to {hub}: {reason(error)}. Check the proxy and certificates."
    if isinstance(error, KeyboardInterrupt):
        return f"interrupted. {RESUMES}"
    if is_too_short(error):
        return (
            f"the file ends too early ({reason(error)}), and more tries did not help. Check the network and try "
            f"again. {RESUMES}"
        )
    if is_connection_failure(error):
        return (
            f"{hub} cannot be reached ({reason(error)}). Fetching needs a machine with a network; "
            f"on a cluster run the fetch commands on the login node. {RESUMES}"
        )
    if isinstance(error, OSError) and error.errno in DISK_FULL:
        return disk_full()
    if isinstance(error, OSError) and error.errno in NO_WRITING:
        return f"{error}. Set HF_HOME to a folder that you may write to."
    return f"cannot be fetched: {type(error).__name__}: {_short(error)}"
