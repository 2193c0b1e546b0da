"""The report before it is LaTeX or HTML: page one, sections, references. All of it follows from the tidy tables."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from tunegrid.common.citations import Reference
from tunegrid.report import formulas, links, summary
from tunegrid.report.latex import label
from tunegrid.report.layout import Figure, Section, Table
from tunegrid.report.sections import sections
from tunegrid.report.tables import Frames
from tunegrid.results.expected import Expected


@dataclass(frozen=True)
class Report:
    """A report before it is LaTeX or HTML; tables and figures are numbered in the order in which they stand."""

    title: str
    subtitle: str
    date: str
    abstract: tuple[str, ...]
    summary: tuple[str, ...]
    warnings: tuple[str, ...]
    sections: tuple[Section, ...]
    glance: Table | None = None  # on page one
    picture: Figure | None = None  # the same
    references: tuple[Reference, ...] = ()
    examples: str = ""  # address of the page of test rows and answers, relative to the report's folder
    epoch: int = 0  # seconds since 1970 of the newest result: the date in the PDF

    @property
    def tables(self) -> list[Table]:
        inner = [table for section in self.sections for table in section.tables]
        return [self.glance, *inner] if self.glance else inner

    @property
    def figures(self) -> list[Figure]:
        inner = [figure for section in self.sections for figure in section.figures]
        return [self.picture, *inner] if self.picture else inner

    @property
    def numbers(self) -> dict[str, int]:
        """The number of each table and each figure, by name."""
        tables = {table.name: number for number, table in enumerate(self.tables, 1)}
        return tables | {figure.name: number for number, figure in enumerate(self.figures, 1)}


def study_report(frames: Frames, expected: Expected, drawn: Mapping[str, Figure]) -> Report:
    """The report of a study; `drawn`: the figures that were drawn for it, by name."""
    finished = _finished(frames)
    return Report(
        title=expected.title,
        subtitle=f"TuneGrid study “{expected.study}”",
        date=f"Results of {finished.day} {finished:%B %Y}" if finished else "No results yet",
        abstract=(expected.description, *expected.caveats),
        summary=tuple(summary.sentences(frames, expected)),
        warnings=tuple(summary.warnings(frames, expected)),
        sections=tuple(with_distinct_names(filter(None, sections(frames, expected, drawn)))),
        glance=summary.glance(frames, expected),
        picture=drawn.get("figure-scores"),
        references=formulas.references(frames, expected),
        examples=links.PAGE,
        epoch=int(finished.timestamp()) if finished else 0,
    )


def with_distinct_names(sections: Iterable[Section]) -> Iterator[Section]:
    """Yields the sections; a table whose files would overwrite those of one before gets a number behind its name.

    Names are of what studies and their data call things, and may differ in characters alone that no file name has.
    """
    taken: set[str] = set()
    for section in sections:
        tables = []
        for table in section.tables:
            name, number = table.name, 1
            while label(name) in taken:
                number += 1
                name = f"{table.name}-{number}"
            taken.add(label(name))
            tables.append(replace(table, name=name))
        yield replace(section, tables=tuple(tables))


def _finished(frames: Frames) -> datetime | None:
    times = []
    for text in frames["provenance"]["finished"].dropna():
        try:
            time = datetime.fromisoformat(text)
        except ValueError:
            continue
        if time.tzinfo is not None:
            times.append(time)
    return max(times, default=None)
