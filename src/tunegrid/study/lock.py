"""The lock file of a study: the commit of every model and data set of the Hub that its grid uses.

`tunegrid pin CONFIG` writes it beside the configuration. A study with a lock file uses these commits and no others.
"""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, StringConstraints, ValidationError

from tunegrid.common.errors import TuneGridError
from tunegrid.common.fields import Closed
from tunegrid.common.files import write_json
from tunegrid.common.hub.source import OnHub
from tunegrid.common.yaml_file import KeyProblem, Place
from tunegrid.study.needs import sources
from tunegrid.study.study import Study

COMMIT = r"^[0-9a-f]{40}$"
KINDS = {"model": "models", "data set": "datasets"}  # kind -> its list in the lock file


class Pin(Closed):
    """A repository at a revision, and the commit that the revision named when it was pinned."""

    id: str
    revision: str | None
    commit: Annotated[str, StringConstraints(pattern=COMMIT)]
    pinned: str

    def __str__(self) -> str:
        return f"{self.id} (revision {self.revision or 'default'})"


class Lock(Closed):
    """The content of a lock file."""

    version: Literal[1] = 1
    models: list[Pin] = Field(default_factory=list)
    datasets: list[Pin] = Field(default_factory=list)

    @classmethod
    def read(cls, path: Path) -> Lock | None:
        """Reads a lock file; None if it does not exist. Raises TuneGridError if it is not valid."""
        try:
            return cls.model_validate_json(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        except (OSError, UnicodeDecodeError, ValidationError) as error:
            reason = error.errors(include_url=False)[0]["msg"] if isinstance(error, ValidationError) else error
            raise TuneGridError(
                f"{path}: not a lock file that can be read ({reason}). Write it anew: tunegrid pin."
            ) from None

    def find(self, source: OnHub) -> Pin | None:
        """The entry for a source's id at its revision; the revision may also be the pinned commit itself."""
        pins = [pin for pin in self.pins(source) if pin.id == source.hub_id]
        exact = [pin for pin in pins if pin.revision == source.revision]
        return next(iter(exact or [pin for pin in pins if pin.commit == source.revision]), None)

    def pins(self, source: OnHub) -> list[Pin]:
        """The entries of the source's kind: models or data sets."""
        return getattr(self, KINDS[source.hub_kind])


def lock_file(config: Path | str) -> Path:
    """The path of a study's lock file: beside its (first) configuration file."""
    return Path(config).with_suffix(".lock.json")


def hub_sources(study: Study) -> list[tuple[Place, OnHub]]:
    """Every source on the Hub that the grid uses, with its place in the configuration."""
    found = sources(study)
    return [(place, source) for place, source in found if isinstance(source, OnHub) and source.hub_id is not None]


def apply(study: Study, config: Path | str) -> None:
    """Sets the commits of the study's sources to those of its lock file, if there is one.

    Raises:
        KeyProblem: the study uses a source on the Hub that is not in the lock file.
        TuneGridError: the lock file cannot be read.
    """
    path = lock_file(config)
    if (lock := Lock.read(path)) is None:
        return
    for place, source in hub_sources(study):
        pin = lock.find(source)
        if pin is None:
            raise _not_locked(place, source, lock, path, config)
        if re.fullmatch(COMMIT, source.revision or "") and source.revision != pin.commit:
            raise KeyProblem(
                (*place, "revision"),
                f"{source.revision} is a commit, but {path} holds {source.hub_id} to {pin.commit}. Change one of them: "
                f"tunegrid pin {shlex.quote(str(config))} writes the lock file anew",
            )
        source.hold_to(pin.commit)


def _not_locked(place: Place, source: OnHub, lock: Lock, path: Path, config: Path | str) -> KeyProblem:
    pinned = [pin for pin in lock.pins(source) if pin.id == source.hub_id]
    name = f"{source.hub_id} (revision {source.revision or 'default'})"
    instead = f"; it has {', '.join(f'{pin} at commit {pin.commit}' for pin in pinned)}" if pinned else ""
    return KeyProblem(
        (*place, "revision" if pinned else source.hub_key),
        f"{source.hub_kind} {name} is not in the lock file {path}{instead}. A study with a lock file runs on nothing "
        f"else: put back what is locked, or pin the study again (tunegrid pin {shlex.quote(str(config))})",
    )


def pin(study: Study, config: Path | str, check: bool = False) -> int:
    """Resolves every source on the Hub that the grid uses to its commit, and writes the lock file.

    Args:
        check: compare with the lock file instead of writing it.

    Returns:
        The exit code: with `check` 1 if something is not pinned or its revision is another commit now, else 0.

    Raises:
        TuneGridError: something cannot be resolved. The lock file is not changed then.
    """
    path = lock_file(config)
    old = Lock.read(path) if check or path.exists() else None
    used = {(source.hub_kind, source.hub_id, source.revision or ""): source for _, source in hub_sources(study)}
    if not used:
        print("The study uses nothing of the Hub: there is nothing to pin.")
        return 0
    new, changed = Lock(), 0
    for _, source in sorted(used.items()):
        before, now = old and old.find(source), _resolve(source)
        if before is not None and (before.revision, before.commit) == (now.revision, now.commit):
            now, note = before, ""  # keeps its date, so that the file only changes where a commit does
        else:
            changed += 1
            note = f" (was {before.commit})" if before and before.commit != now.commit else " (not pinned)" * check
        new.pins(source).append(now)
        print(f"{source.hub_kind} {now}: {now.commit}{note}")
    if check:
        print(f"{changed} of {len(used)} not as in {path}" if changed else f"all as in {path}")
        return 1 if changed else 0
    write_json(path, new.model_dump())
    print(f"{path} written. Keep it with the configuration: a study that has it runs on these commits alone.")
    return 0


def _resolve(source: OnHub) -> Pin:
    from tunegrid.common.hub import download
    from tunegrid.runtime.provenance import now

    commit = download.resolve(source.hub_kind, source.hub_id, source.revision)
    return Pin(id=source.hub_id, revision=source.revision, commit=commit, pinned=now())
