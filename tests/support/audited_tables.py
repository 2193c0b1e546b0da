"""Audits a table of scores given as text; an honest table of one classifier."""

from pathlib import Path

from tunegrid.results.audit.checks import Audit, audit_folder
from tunegrid.results.audit.folder import read_folder


def audit(folder: Path, text: str, claims: str = "", known: str = "", **options: int) -> Audit:
    """The audit of a table in a folder of its own; `claims`: its line of tables.csv."""
    folder.mkdir(exist_ok=True)
    (folder / "scores.csv").write_text(text)
    if claims:
        (folder / "tables.csv").write_text(f"table,data,test_size,positives,train_size,known\nscores,{claims}\n")
    if known:
        (folder / "known.csv").write_text(f"known,model,state,conditions,source,mark,{known}")
    return audit_folder(read_folder(folder), **({"largest": 3000, "largest_pair": 300} | options))


def findings_of(audit: Audit, check: str) -> list[tuple[str, tuple[str, ...]]]:
    """Severity and rows of each finding of a check."""
    return [(finding.severity, finding.rows) for finding in audit.findings if finding.check == check]


CLASSIFIER = "model,accuracy,precision,recall,f1\n"

# 50 of 100 positive: 40 found, 10 false alarms; 45 and 20; 30 and 5
HONEST = "A,0.8000,0.8000,0.8000,0.8000\nB,0.7500,0.6923,0.9000,0.7826\nC,0.7500,0.8571,0.6000,0.7059\n"
