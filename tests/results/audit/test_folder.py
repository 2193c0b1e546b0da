"""Reading a folder of tables: separators, names of rows, and mistakes in files, in one message each."""

from pathlib import Path

import pytest

from tests.support.audited_tables import CLASSIFIER, HONEST
from tunegrid.cli import main
from tunegrid.common.errors import TuneGridError
from tunegrid.results.audit.folder import read_folder

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
    "a value that is none": ("known.csv", "known,model,state,conditions,source,mark,f1\nx,A,tuned,,,V,50%\n", "line 2, column f1: '50%'"),
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
