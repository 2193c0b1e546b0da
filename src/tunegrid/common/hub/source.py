"""Settings of a source that may be a repository of the Hub."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field, PrivateAttr

from tunegrid.common.fields import Closed, Word


class OnHub(Closed):
    """A source that may be a repository of the Hub."""

    hub_kind: ClassVar[Literal["model", "data set"]]
    hub_key: ClassVar[str]  # the key that holds its id

    revision: Word | None = Field(None, description="Commit, tag or branch; none: the default branch.")
    _commit: str | None = PrivateAttr(None)  # not a key of the configuration: it comes from the lock file alone

    @property
    def hub_id(self) -> str | None:
        """Its id on the Hub; None where it is a local folder."""
        return getattr(self, self.hub_key)

    @property
    def commit(self) -> str | None:
        """The commit in the study's lock file; None without a lock file."""
        return self._commit

    def hold_to(self, commit: str) -> None:
        self._commit = commit


def commit_of(source: Closed) -> dict[str, str]:
    """The locked commit as a setting of a source: a new commit runs its fetch, and all that follows, again."""
    return {"commit": source.commit} if isinstance(source, OnHub) and source.commit else {}
