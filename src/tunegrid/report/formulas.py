"""The report's section of equations: those of the methods, metrics and statistics that the study uses."""

from functools import cache

from tunegrid.common.citations import KENDALL_1938, Formula, Reference
from tunegrid.methods import METHODS
from tunegrid.report.instruction import MIXING
from tunegrid.report.layout import Section
from tunegrid.report.tables import Frames
from tunegrid.results.expected import Expected
from tunegrid.results.statistics import (
    effects,
    efficiency,
    intervals,
    over_tasks,
    paired_tests,
    power,
    recommend,
    seeds,
)

POINTS = 11  # of the equations that are drawn for HTML


def section(frames: Frames, expected: Expected) -> Section:
    """Section of the equations of the methods, the metrics and the statistics."""
    text = (
        "The equations of what this study uses: its tuning methods, its metrics, and the statistics of its intervals, "
        "tests and recommendation. What is not here is not in the study."
    )
    return Section("Methods and equations", (text,), formulas=tuple(used_formulas(frames, expected)))


def used_formulas(frames: Frames, expected: Expected) -> list[Formula]:
    """Every equation that the study needs, once, in the order of the report."""
    kinds = [method.kind for method in expected.methods if method.kind and method.described]
    formulas = [METHODS[kind].about for kind in dict.fromkeys(kinds)]
    formulas += [MIXING] if expected.mixtures else []
    formulas += dict.fromkeys(metric.formula for task in expected.tasks for metric in task.all_metrics)
    formulas.append(intervals.INTERVAL)
    if len(expected.seeds) > 1:
        formulas.append(seeds.SEEDS)
    formulas += [intervals.DIFFERENCE, paired_tests.TESTS, recommend.RULE]
    of_tables = {
        effects.EFFECT: len(frames["effects"]),
        over_tasks.NORMALISED: len(frames["over_tasks"]),
        power.DETECTABLE: len(frames["detectable"]),
        efficiency.SCORE: frames["efficiency"]["rank"].count(),
    }
    return [*filter(None, formulas), *(formula for formula, rows in of_tables.items() if rows)]


def references(frames: Frames, expected: Expected) -> tuple[Reference, ...]:
    """The sources of the study's equations and of the rank correlation, where it has one; each once, by name."""
    sources = {source for formula in used_formulas(frames, expected) for source in formula.sources}
    sources |= {KENDALL_1938} if frames["agreement"]["kendall_tau"].notna().any() else set()
    return tuple(sorted(sources, key=lambda source: source.short))


def cited(formula: Formula) -> str:
    """Sources of an equation in parentheses; "" without any."""
    return f"({'; '.join(source.short for source in formula.sources)})" if formula.sources else ""


@cache  # parsing an equation takes longer than drawing it
def drawn(formula: Formula) -> str:
    """SVG drawing of an equation, made of glyphs: it needs no fonts and no scripts."""
    import io
    import re

    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt
    from matplotlib.font_manager import FontProperties
    from matplotlib.mathtext import math_to_image

    settings = {"svg.hashsalt": "tunegrid", "svg.fonttype": "path", "mathtext.fontset": "cm", "text.parse_math": True}
    output = io.StringIO()
    with plt.rc_context(settings):
        math_to_image(f"${formula.latex}$", output, format="svg", prop=FontProperties(size=POINTS))
    return re.sub(r"<metadata>.*?</metadata>", "", output.getvalue(), flags=re.DOTALL)  # it holds the time
