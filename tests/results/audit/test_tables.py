"""The audit of tables in CSV files: what each check finds, that honest tables are never accused, and mistakes in files."""

import csv
import json
import random
import time
from decimal import ROUND_HALF_EVEN, ROUND_HALF_UP, Decimal
from pathlib import Path

import pytest

from tunegrid.cli import main
from tunegrid.common.errors import TuneGridError
from tunegrid.results.audit import search_time
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


def test_a_score_outside_its_range_is_an_error(tmp_path: Path) -> None:
    result = audit(tmp_path, "model,accuracy,bleu_percent\nA,94.3,20.0\nB,-0.1,101.5\n")
    assert findings_of(result, "range") == [("error", ("A",)), ("error", ("B",)), ("error", ("B",))]
    assert "a percentage belongs in a column accuracy_percent" in result.findings[0].computed
    assert "outside 0 to 100%" in result.findings[2].computed


def test_f1_below_exact_match_is_an_error(tmp_path: Path) -> None:
    result = audit(tmp_path, "model,exact_match_percent,f1_percent\nA,85.2,84.9\nB,85.2,85.2\nC,85.20,85.18\n")
    assert findings_of(result, "f1-below-exact-match") == [("error", ("A", "C"))]  # B can be rounding


def test_a_claimed_size_that_does_not_fit_is_an_error(tmp_path: Path) -> None:
    table = "model,accuracy\nA,0.143\nB,0.571\nC,0.500\n"  # sevenths, and a half
    assert findings_of(audit(tmp_path / "7", table, "seven questions,7,,,"), "claimed-size") == [("error", ("C",))]
    assert findings_of(audit(tmp_path / "14", table, "fourteen,14,,,"), "claimed-size") == []


def test_digits_that_were_cut_off_are_a_warning(tmp_path: Path) -> None:
    result = audit(tmp_path, "model,accuracy\nA,0.142\nB,0.571\n", "seven,7,,,")  # 1 / 7 = 0.14286
    assert findings_of(result, "claimed-size") == [("warning", ("A",))]
    assert not result.failed


def test_each_row_can_have_a_size_of_its_own(tmp_path: Path) -> None:
    result = audit(tmp_path, "model,accuracy,examples\nA,0.143,7\nB,0.333,3\nC,0.5,3\n")
    assert findings_of(result, "claimed-size") == [("error", ("C",))]
    assert findings_of(result, "test-size") == []  # there is no common one to look for


def test_the_sizes_that_fit_are_listed(tmp_path: Path) -> None:
    (finding,) = (
        finding
        for finding in audit(tmp_path, "m,accuracy\nA,0.142857\nB,0.714286\n").findings
        if finding.check == "test-size"
    )
    assert finding.numbers["sizes"] == list(range(7, 3001, 7))
    assert "n = 7 and its multiples (14 is the next)" in finding.computed
    result = audit(tmp_path / "none", "m,accuracy\nA,0.1428570\nB,0.3333334\n", largest=2000)
    assert findings_of(result, "test-size") == [("warning", ())]
    few = audit(tmp_path / "few", "m,accuracy\nA,0.5\nB,1.0\n").findings[0]
    assert few.meaning == "The digits, if rounded correctly, rule out fewer than 2 examples; they say little more."


def test_a_size_that_is_a_part_of_the_training_data_is_told(tmp_path: Path) -> None:
    values = "".join(f"{name},{count / 159:.6f}\n" for name, count in (("A", 100), ("B", 31), ("C", 158)))
    result = audit(tmp_path, f"model,exact_match\n{values}", "x,,,1000,", largest=400)
    assert findings_of(result, "split") == []  # no split of 1,000 has 159
    result = audit(tmp_path / "b", f"model,exact_match\n{values}", "x,,,1060,", largest=400)
    assert findings_of(result, "split") == [("note", ())]
    (finding,) = (finding for finding in result.findings if finding.check == "split")
    assert "15% of 1,060" in finding.numbers["ways"]


CLASSIFIER = "model,accuracy,precision,recall,f1\n"
# 50 of 100 positive: 40 found, 10 false alarms; 45 and 20; 30 and 5
HONEST = "A,0.8000,0.8000,0.8000,0.8000\nB,0.7500,0.6923,0.9000,0.7826\nC,0.7500,0.8571,0.6000,0.7059\n"


def test_scores_of_one_classifier_belong_together(tmp_path: Path) -> None:
    result = audit(tmp_path, CLASSIFIER + HONEST, "x,100,50,,")
    assert [finding.severity for finding in result.findings] == ["note"] * 4
    (group,) = result.groups
    assert (100, 50) in [(pair.size, pair.positives) for pair in group.pairs if pair.tolerance <= 0.5]


def test_an_f1_of_other_precision_and_recall_is_an_error(tmp_path: Path) -> None:
    result = audit(tmp_path, CLASSIFIER + HONEST + "D,0.7500,0.8571,0.6000,0.7256\n")
    assert findings_of(result, "f1") == [("error", ("D",))]
    # F1 is .74667 to .74678, which is printed .7467 or .7468; cut off, it can be .7466
    cut = audit(tmp_path / "cut", CLASSIFIER + "D,0.7500,0.8000,0.7001,0.7466\n")
    assert findings_of(cut, "f1") == [("warning", ("D",))]


def test_rows_of_other_positives_are_an_error(tmp_path: Path) -> None:
    # 60 of 100 positive: 48 found, 6 false alarms
    result = audit(tmp_path, CLASSIFIER + HONEST + "D,0.8200,0.8889,0.8000,0.8421\n")
    assert findings_of(result, "share-of-positives") == [("error", ("D",))]
    assert [group.rows for group in result.groups] == [("A", "B", "C"), ("D",)]
    (finding,) = (finding for finding in result.findings if finding.check == "share-of-positives")
    first, second = finding.numbers["groups"]
    assert first["low"] <= 0.5 <= first["high"]
    assert second["low"] <= 0.6 <= second["high"]


def test_claimed_positives_are_checked(tmp_path: Path) -> None:
    assert findings_of(audit(tmp_path / "a", CLASSIFIER + HONEST, "x,100,48,,"), "claimed-positives") == [
        ("error", ("A", "B", "C"))
    ]
    assert findings_of(audit(tmp_path / "b", CLASSIFIER + HONEST, "x,97,,,"), "claimed-positives") == [
        ("error", ("A", "B", "C"))
    ]
    assert findings_of(audit(tmp_path / "c", CLASSIFIER + HONEST, "x,100,,,"), "claimed-positives") == []
    with_counts = CLASSIFIER.replace("f1", "f1,examples,positives") + "A,0.8000,0.8000,0.8000,0.8000,100,50\n"
    assert findings_of(audit(tmp_path / "d", with_counts), "claimed-positives") == []
    assert findings_of(audit(tmp_path / "e", with_counts.replace(",50\n", ",40\n")), "claimed-positives") == [
        ("error", ("A",))
    ]


def test_an_accuracy_that_precision_and_recall_forbid_is_an_error(tmp_path: Path) -> None:
    result = audit(tmp_path, CLASSIFIER + HONEST + "D,0.4000,0.5000,0.9000,0.6429\n")
    assert findings_of(result, "accuracy") == [("error", ("D",))]


def test_identical_rows_are_a_warning(tmp_path: Path) -> None:
    table = "model,method,exact_match_percent,f1_percent\nA,x,80.00,85.00\nA,y,80.00,85.0\nB,x,80.00,85.00\nB,y,70,75\n"
    assert findings_of(audit(tmp_path, table), "identical-rows") == [("warning", ("A + x", "B + x"))]
    # One score alone is often the same.
    assert findings_of(audit(tmp_path / "one", "model,bleu\nA,0.21\nB,0.21\n"), "identical-rows") == []


KNOWN = (
    "exact_match_percent,f1_percent,bleu\nq,A,tuned,dev set,a paper,V,80,90,\nq,B,tuned,dev set,a card,V,85.0,91.0,\n"
    "q,C,tuned,dev set,memory,M,10,11,\nq,A,untuned,dev set,a paper,V,60.0,65.0,0.30\n"
)


def test_partial_credit_is_compared_with_published_systems(tmp_path: Path) -> None:
    table = (
        "model,method,exact_match_percent,f1_percent\nA,x,80.00,82.00\nB,y,80.00,90.00\n"  # .10 and .50; known .40, .50
    )
    result = audit(tmp_path, table, ",,,,q", KNOWN)
    assert findings_of(result, "partial-credit") == [("warning", ("A + x",))]
    (finding,) = (finding for finding in result.findings if finding.check == "partial-credit")
    assert finding.numbers["credits"] == {"A + x": 0.1, "B + y": 0.5}
    assert finding.numbers["published"] == {"B": 0.4, "A": 0.5}  # what is from memory (M) is never used
    assert findings_of(audit(tmp_path / "alone", table), "partial-credit") == [("note", ())]
    fine = audit(tmp_path / "fine", table.replace("82.00", "89.00"), ",,,,q", KNOWN)
    assert findings_of(fine, "partial-credit") == [("note", ())]


def test_published_scores_are_compared(tmp_path: Path) -> None:
    table = "model,method,exact_match_percent,f1_percent\nA,x,85.2,91.0\na,y,59.8,64.8\nB,x,84.9,90.0\n"
    result = audit(tmp_path, table, ",,,,q", KNOWN)
    assert findings_of(result, "beyond-known") == [("warning", ("A + x",))]
    assert findings_of(result, "below-untuned") == [("warning", ("a + y",))] * 2  # exact match, and F1
    assert findings_of(result, "below-published") == [
        ("note", ("B + x",))
    ]  # F1; 84.9 can be 85.0, but 90.0 is below 91.0
    assert "memory" not in "".join(finding.computed for finding in result.findings)


def test_a_failed_run_is_a_warning(tmp_path: Path) -> None:
    result = audit(tmp_path, "model,bleu,cosine_similarity\nA,0.0001,0.06\nB,0.0100,0.2\n")
    assert findings_of(result, "failed-run") == [("warning", ("A",))]


# Honest tables -------------------------------------------------------------------------------------------------------


def honest_table(generator: random.Random) -> tuple[str, int, int]:
    """A table of scores of random predictions, printed as people print: (CSV, test size, positives)."""
    size, digits = generator.randint(5, 400), generator.choice([2, 3, 4])
    rounding = generator.choice([ROUND_HALF_UP, ROUND_HALF_EVEN])
    percent = generator.random() < 0.5
    gold = [generator.random() < generator.choice([0.3, 0.5, 0.8]) for _ in range(size)]

    def text(part: float, whole: float) -> str:
        value = Decimal(part) / Decimal(whole) if whole else Decimal(0)
        return str((value * (100 if percent else 1)).quantize(Decimal(1).scaleb(-digits), rounding))

    rows = []
    for number in range(generator.randint(1, 9)):
        skill = generator.random()
        predicted = [label if generator.random() < skill else not label for label in gold]
        true = sum(label and other for label, other in zip(predicted, gold, strict=True))
        right = sum(label == other for label, other in zip(predicted, gold, strict=True))
        rows.append(
            [
                f"model {number}",
                text(right, size),
                text(true, sum(predicted)),
                text(true, sum(gold)),
                text(2 * true, sum(predicted) + sum(gold)),
            ]
        )
    head = ["model"] + [name + ("_percent" if percent else "") for name in ("accuracy", "precision", "recall", "f1")]
    return "\n".join(",".join(row) for row in [head, *rows]), size, sum(gold)


@pytest.mark.parametrize("block", range(10))
def test_an_honest_table_is_never_accused(tmp_path: Path, block: int) -> None:
    for seed in range(30):
        generator = random.Random(f"{block} {seed}")
        text, size, positives = honest_table(generator)
        claims = generator.choice(["", f"x,{size},,,"] + ([f"x,{size},{positives},,"] if positives else []))
        result = audit(tmp_path / f"{seed}", text, claims, largest=500, largest_pair=60)
        accused = [
            finding for finding in result.findings if finding.severity != "note" and finding.check != "identical-rows"
        ]
        assert not accused, (seed, accused)
        sizes = [finding.numbers for finding in result.findings if finding.check == "test-size"]
        assert all(size in fits["sizes"] or size > fits["searched_to"] or fits["fitting"] > 1000 for fits in sizes)


@pytest.mark.parametrize("seed", range(50))
def test_honest_answers_are_never_accused(tmp_path: Path, seed: int) -> None:
    generator = random.Random(seed)
    size, rows = generator.randint(3, 300), []
    for number in range(5):
        exact = [generator.random() < 0.6 for _ in range(size)]
        f1 = [1.0 if right else generator.random() * 0.8 for right in exact]
        rows.append(f"m{number},{100 * sum(exact) / size:.2f},{100 * sum(f1) / size:.2f}")
    result = audit(tmp_path, "\n".join(["model,exact_match_percent,f1_percent", *rows]), f"x,{size},,,")
    assert [
        finding for finding in result.findings if finding.severity != "note" and finding.check != "identical-rows"
    ] == []


# Files ---------------------------------------------------------------------------------------------------------------

WRONG = {
    "no score": ("scores.csv", "model,epochs\nA,3\n", "no column is a score"),
    "a misspelt score": ("scores.csv", "model,exact_mach\nA,0.5\n", "line 1: unknown column exact_mach. Did you mean exact_match"),
    "capitals": ("scores.csv", "model,Accuracy\nA,0.5\n", "Did you mean accuracy"),
    "two units": ("scores.csv", "model,f1,f1_percent\nA,0.5,50\n", "two columns hold f1"),
    "a column twice": ("scores.csv", "model,f1,f1\nA,0.5,0.5\n", "the column 'f1' stands there twice"),
    "no name": ("scores.csv", "model,,f1\nA,x,0.5\n", "every column needs a name"),
    "a percentage": ("scores.csv", "model,f1\nA,50%\n", "line 2, column f1: '50%' is a percentage"),
    "a comma": ("scores.csv", 'model,f1\nA,"0,5"\n', "write a decimal point"),
    "no number": ("scores.csv", "model,f1\nA,0.5\nB,high\n", "line 3, column f1: 'high' is not a number such as 0.8523"),
    "too few values": ("scores.csv", "model,method,f1\nA,x,0.5\nB,0.5\n", "line 3: has not as many fields as the header (2, not 3"),
    "an open quotation mark": ("scores.csv", 'model,f1\n"A,0.5\n', "not valid CSV"),
    "no rows": ("scores.csv", "model,f1\n", "has no rows"),
    "empty": ("scores.csv", "", "has no rows"),
    "half an example": ("scores.csv", "model,f1,examples\nA,0.5,10.5\n", "column examples: '10.5' is not a whole number above 0"),
    "an unknown table": ("tables.csv", "table,title\nscore,x\n", "there is no score.csv. Did you mean scores?"),
    "an unknown claim": ("tables.csv", "table,size\nscores,7\n", "unknown column size"),
    "no table": ("tables.csv", "title\nx\n", "the column table is missing"),
    "a table twice": ("tables.csv", "table\nscores\nscores\n", "line 3, column table: scores is listed twice"),
    "more positives": ("tables.csv", "table,test_size,positives\nscores,7,8\n", "8 is more than test_size says"),
    "an unknown group": ("tables.csv", "table,known\nscores,squad\n", "has no squad"),
    "an unknown state": ("known.csv", "known,model,state,conditions,source,mark,f1\nx,A,new,,,V,0.5\n", "'new' is not one of untuned, tuned"),
    "an unknown mark": ("known.csv", "known,model,state,conditions,source,mark,f1\nx,A,tuned,,,X,0.5\n", "column mark"),
    "a value that is none": ("known.csv", "known,model,state,conditions,source,mark,f1\nx,A,tuned,,,V,50%\n", "line 2: '50%'"),
}  # fmt: skip


@pytest.mark.parametrize(("name", "text", "says"), WRONG.values(), ids=WRONG.keys())
def test_a_mistake_in_a_file_is_one_message(tmp_path: Path, capsys, name: str, text: str, says: str) -> None:
    (tmp_path / "scores.csv").write_text("model,f1\nA,0.5\n")
    (tmp_path / name).write_text(text)
    assert main(["audit", str(tmp_path)]) == 1
    output = capsys.readouterr()
    assert output.err.startswith(f"tunegrid: error: {tmp_path / name}")
    assert says in output.err
    assert output.out == ""


def test_what_is_not_text_or_not_there_is_one_message(tmp_path: Path) -> None:
    (tmp_path / "scores.csv").write_bytes("model,f1\nJürgen,0.5\n".encode("latin-1"))
    with pytest.raises(TuneGridError, match=r"line 2: not valid UTF-8 \(byte 2 of the line\)"):
        read_folder(tmp_path)
    with pytest.raises(TuneGridError, match="no such folder"):
        read_folder(tmp_path / "none")
    (tmp_path / "empty").mkdir()
    with pytest.raises(TuneGridError, match="holds no tables"):
        read_folder(tmp_path / "empty")


def test_rows_are_called_what_their_labels_say(tmp_path: Path) -> None:
    (tmp_path / "scores.csv").write_bytes(
        b"\xef\xbb\xbfmodel,method,seed,epochs,f1,bleu\r\nA,x,1,3,0.5,\r\n\r\nA,,2,4,0.6,\r\n"
    )
    (table,) = read_folder(tmp_path).tables
    assert [row.name for row in table.rows] == ["A + x + seed 1", "A + seed 2"]
    assert table.aside == ("epochs",)
    assert [set(row.values) for row in table.rows] == [{"f1"}, {"f1"}]


def test_errors_and_nothing_else_fail_the_command(tmp_path: Path, capsys) -> None:
    (tmp_path / "scores.csv").write_text(CLASSIFIER + HONEST + HONEST.replace("A,", "D,", 1).split("\n")[0] + "\n")
    (tmp_path / "notes.csv").write_text("what\nnothing\n")
    (tmp_path / "tables.csv").write_text("table,title,data,test_size\nscores,Table 1,a test set,100\n")
    assert (
        main(
            [
                "audit",
                str(tmp_path),
                "--csv",
                str(tmp_path / "out/findings.csv"),
                "--pairs",
                str(tmp_path / "out/pairs.csv"),
            ]
        )
        == 0
    )
    output = capsys.readouterr().out
    assert "1 warning" in output
    assert "Table 1: 4 rows; compared with a test set, 100 examples" in output
    assert "notes.csv" in output
    assert "=> Unless the models answer alike" in output
    with (tmp_path / "out/findings.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["severity"] for row in rows].count("warning") == 1
    assert rows[0]["rows"] == "A; D"
    assert json.loads(rows[0]["numbers"])["accuracy"] == "0.8000"
    with (tmp_path / "out/pairs.csv").open(newline="") as file:
        pairs = [
            (row["test_size"], row["positives"])
            for row in csv.DictReader(file)
            if float(row["tolerance_in_units"]) <= 0.5
        ]
    assert ("100", "50") in pairs
    (tmp_path / "scores.csv").write_text(CLASSIFIER + HONEST.replace("0.7826", "0.8826"))
    assert main(["audit", str(tmp_path)]) == 1


# Separators, time and the usual forms of tables ----------------------------------------------------------------------


@pytest.mark.parametrize("name", ["Scores", "Scores.TSV", "Scores.tsv", "Scores.csv"])
def test_a_list_may_name_a_table_by_its_file(tmp_path: Path, name: str):
    (tmp_path / "Scores.TSV").write_text("model\tf1\na\t0.5\n")
    (tmp_path / "tables.csv").write_text(f"table,title\n{name},Ours\n")
    assert [table.title for table in read_folder(tmp_path).tables] == ["Ours"]


@pytest.mark.parametrize(("name", "separator"), [("scores.csv", ";"), ("scores.csv", "\t"), ("Scores.TSV", "\t")])
def test_separators_are_those_of_the_header(tmp_path: Path, name: str, separator: str) -> None:
    (tmp_path / name).write_text((CLASSIFIER + HONEST).replace(",", separator), encoding="utf-8-sig")
    (table,) = read_folder(tmp_path).tables
    assert [row.name for row in table.rows] == ["A", "B", "C"]
    assert table.rows[1].values["precision"].text == "0.6923"


def test_two_files_of_one_name_are_one_message(tmp_path: Path) -> None:
    for name in ("scores.csv", "scores.tsv"):
        (tmp_path / name).write_text("model\tf1\nA\t0.5\n")
    with pytest.raises(TuneGridError, match=r"scores\.csv has the same name"):
        read_folder(tmp_path)


# Of 25,000 examples with 12,500 positives, more than is searched; the search takes longer than the tests allow it.
SLOW = """model,accuracy_percent,precision_percent,recall_percent
A,97.512,97.436,97.592
B,96.872,96.704,97.048
C,98.104,98.087,98.120
"""


def test_a_search_that_takes_too_long_ends_with_a_note(tmp_path: Path, capsys) -> None:
    (tmp_path / "scores.csv").write_text(SLOW)
    started = time.monotonic()
    assert main(["audit", str(tmp_path), "--time-limit", "0.01", "--csv", str(tmp_path / "out/findings.csv")]) == 0
    assert time.monotonic() - started < 30
    output = " ".join(capsys.readouterr().out.split())
    assert "No answer within 0.01 seconds to the question w" in output
    assert "note: Test size " in output  # what was found before stays
    with (tmp_path / "out/findings.csv").open(newline="") as file:
        assert [row["severity"] for row in csv.DictReader(file) if "No answer" in row["computed"]] == ["note"]


def test_each_table_has_its_share_of_the_time(monkeypatch) -> None:
    now = 100.0
    monkeypatch.setattr(search_time.time, "monotonic", lambda: now)
    clock = search_time.SearchTime(120, tables=3)
    clock.begin("A")
    assert clock.share == 40
    now += 41
    with pytest.raises(search_time.OutOfTime):
        clock.check()
    clock.begin("B")
    now += 9  # what a table leaves is for those after it
    clock.check()
    clock.begin("C")
    assert clock.share == 70
    assert clock.limit_text() == "70 seconds"


def test_a_claim_is_answered_in_time_too(tmp_path: Path) -> None:
    # With a test set that large no digit says anything, and the counts to try are without end.
    (tmp_path / "tables.csv").write_text(f"table,test_size\nscores,{10**15}\n")
    (tmp_path / "scores.csv").write_text(SLOW)
    started = time.process_time()
    audit_folder(read_folder(tmp_path), time_limit=1)
    assert time.process_time() - started < 10


@pytest.mark.parametrize("limit", ["0", "-1", "nan", "inf", "soon"])
def test_a_limit_that_is_none_is_refused(limit: str, capsys) -> None:
    with pytest.raises(SystemExit):
        main(["audit", f"--time-limit={limit}"])
    assert "is not a number of seconds above 0" in capsys.readouterr().err


def test_a_long_search_says_where_it_is(capsys, monkeypatch) -> None:
    monkeypatch.setattr(search_time, "BETWEEN_LINES", 0.0)
    clock = search_time.SearchTime(100, tables=1, progress=True)
    clock.begin("Table 1")
    clock.search("test sizes up to 15,000")
    assert capsys.readouterr().err == "audit: Table 1: test sizes up to 15,000 (0 s)\n"


# Accuracy of tokens, and precision, recall and F1 of entities, as scorers of named entities print them.
TOKENS = """model,accuracy_percent,precision_percent,recall_percent,f1_percent
A,98.07,91.42,92.67,92.04
B,97.61,90.00,90.90,90.45
C,98.32,93.19,93.06,93.12
D,96.93,86.21,87.94,87.07
E,97.20,87.75,88.02,87.88
"""


@pytest.mark.parametrize("claims", ["", "tokens,46435,,,"])
def test_accuracy_of_tokens_beside_f1_of_entities_is_no_contradiction(tmp_path: Path, claims: str) -> None:
    result = audit(tmp_path, TOKENS, claims)
    assert not result.failed
    assert findings_of(result, "share-of-positives") == [("warning", ())]
    assert not result.groups  # no test size is deduced from it
    (finding,) = (finding for finding in result.findings if finding.check == "share-of-positives")
    assert "that of tokens beside those of entities" in finding.meaning


# MRPC's development set: 408 pairs, 279 positive; in the wrong table two digits of the F1 of A are swapped
GLUE = "model,accuracy_percent,f1_percent\nA,86.76,90.43\nB,88.48,91.83\nC,84.31,88.89\n"


def test_accuracy_with_f1_alone_is_checked_against_claimed_positives(tmp_path: Path) -> None:
    assert findings_of(audit(tmp_path / "right", GLUE, "MRPC,408,279,,"), "claimed-positives") == []
    result = audit(tmp_path / "wrong", GLUE.replace("90.43", "90.34"), "MRPC,408,279,,")
    assert findings_of(result, "claimed-positives") == [("error", ("A",))]
    # Without positives F1 may be an average over classes.
    assert not audit(tmp_path / "unclaimed", GLUE.replace("90.43", "90.34"), "MRPC,408,,,").failed


def test_a_recall_is_a_share_of_claimed_positives(tmp_path: Path) -> None:
    table = "model,precision,recall\nA,0.8333,0.7143\nB,0.8333,0.7357\n"  # 5 of 7
    assert findings_of(audit(tmp_path, table, "x,50,7,,"), "claimed-positives") == [("error", ("B",))]


def test_one_row_of_another_test_set_is_named(tmp_path: Path) -> None:
    values = "".join(f"m{count},{count / 100:.4f}\n" for count in (71, 77, 83, 86, 91, 64)) + f"odd,{80 / 97:.4f}\n"
    result = audit(tmp_path, f"model,accuracy\n{values}", largest=10_000)
    assert ("warning", ("odd",)) in findings_of(result, "test-size")
    assert ("warning", ("odd",)) not in findings_of(
        audit(tmp_path / "b", "model,accuracy\nA,0.5902\nB,0.7680\nC,0.8351\n"), "test-size"
    )  # of 388 examples; two of the three are k / 97 too


def test_rows_of_few_digits_can_be_equal_by_chance(tmp_path: Path) -> None:
    rows = "A,0.91,0.90,0.90\nB,0.90,0.89,0.89\nC,0.91,0.90,0.90\nD,0.89,0.90,0.89\nE,0.92,0.91,0.91\n"
    result = audit(tmp_path, f"model,precision,recall,f1\n{rows}")
    assert findings_of(result, "identical-rows") == []


def test_one_value_twice_is_a_warning_where_digits_tell(tmp_path: Path) -> None:
    table = "model,exact_match_percent,f1_percent\nA,80.0123,87.1203\nB,75.4410,84.0192\nC,71.2000,84.0192\n"
    result = audit(tmp_path, table)
    assert findings_of(result, "repeated-values") == [("warning", ("B", "C"))]
    assert findings_of(audit(tmp_path / "few", "m,accuracy\nA,0.81\nB,0.84\nC,0.84\n"), "repeated-values") == []


def test_partial_credit_unlike_that_of_the_other_rows_is_a_warning(tmp_path: Path) -> None:
    table = "model,exact_match_percent,f1_percent\nA,68.20,79.10\nB,66.40,77.90\nC,28.10,91.00\nD,70.00,80.10\n"
    assert ("warning", ("C",)) in findings_of(audit(tmp_path, table), "partial-credit")
