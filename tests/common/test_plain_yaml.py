"""YAML that is no plain tree: refused with its line, and before anything is expanded."""

import os
from pathlib import Path

import pytest

from tunegrid.common import plain_yaml
from tunegrid.common.errors import TuneGridError
from tunegrid.common.plain_yaml import DEEPEST, MOST_BYTES, read_yaml

# (text, line of the message, what it says)
REFUSED = {
    "a list that holds itself": ("a: 1\nb: &x [1, *x]\n", 2, "no end"),
    "a mapping that holds itself": ("b: &x\n  c: {d: *x}\n", 2, "no end"),
    "an alias of nothing": ("a: 1\nb: *x\n", 2, "undefined alias"),
    "an anchor twice": ("a: &x 1\nb: &x 2\n", 2, "anchor"),
    "a list that is not closed": ("study: [\n", 2, "not valid YAML"),
    "two documents": ("a: 1\n---\nb: 2\n", 2, "another document"),
    "a tab as indentation": ("a:\n\tb: 1\n", 2, "not valid YAML"),
    "a tag of Python": ("a: 1\nb: !!python/object:os.system x\n", 2, "tag"),
    "a tag of its own": ("a: !mine x\n", 1, "tag"),
    "a set": ("a: !!set {b}\n", 1, "tag"),
    "binary data": ("a: !!binary aGVsbG8=\n", 1, "tag"),
    "an equals sign alone": ("a: =\n", 1, "tag value"),
    "a text as an integer": ("a: 1\nb: !!int x\n", 2, "'x' is no int"),
    "nothing as an integer": ("a: !!int ''\n", 1, "is no int"),
    "a text as a truth value": ("a: !!bool perhaps\n", 1, "'perhaps' is no bool"),
    "a list as a text": ("a: !!str [b]\n", 1, "expected a scalar"),
    "a text as a mapping": ("a: !!map b\n", 1, "expected a mapping"),
    "a date": ("a: 1\nb: 2026-11-29\n", 2, "reads 2026-11-29 as a date"),
    "an impossible date": ("a: 2026-13-45\n", 1, "as a date"),
    "a date as a key": ("2026-11-29: 1\n", 1, "as a date"),
    "an integer of many digits": ("a: " + "9" * 41 + "\n", 1, "41 digits"),
    "an integer of many digits in base 16": ("a: 0x" + "f" * 41 + "\n", 1, "too large"),
    "an octal number": ("seeds: [010]\n", 1, "reads 010 as a number of base 8"),
    "a time as a number": ("title: 12:30\n", 1, "reads 12:30 as a number"),
    "a lone surrogate": ('a: "\\ud800"\n', 1, "U+D800"),
    "an escaped NUL": ('a: "x\\0"\n', 1, "U+0000"),
    "an escaped NUL in a key": ('"a\\0": 1\n', 1, "U+0000"),
    "a control character": ("a: 1\nb: \x01\n", 2, "U+0001"),
    "a NUL": ("a: 1\n\n\0", 3, "U+0000"),
    "a number as a key": ("a: {1: b}\n", 1, "key '1' as int"),
    "a truth value as a key": ("a:\n  no: b\n", 2, "key 'no' as bool"),
    "a null as a key": ("a: {~: b}\n", 1, "as null"),
    "a list as a key": ("? [a, b]\n: c\n", 1, "key has to be text"),
    "a mapping as a key": ("{a: b}: c\n", 1, "key has to be text"),
    "a key twice": ("a: 1\nb: 2\na: 3\n", 3, "'a' stands here a second time"),
    "a merge of a number": ("a: {<<: 1}\n", 1, "mapping"),
    "a merge of numbers": ("a: {<<: [1]}\n", 1, "mapping"),
}


@pytest.mark.parametrize(("text", "line", "says"), REFUSED.values(), ids=REFUSED)
def test_what_is_no_plain_tree_is_refused_in_one_line_with_its_file_and_line(folder, text, line, says):
    message = refusal(text)
    assert message.startswith(f"file.yaml, line {line}: ")
    assert says in message
    assert "\n" not in message


def test_text_that_is_not_utf8_is_refused_with_its_line(folder):
    Path("file.yaml").write_bytes("a: 1\ntitle: Größe\n".encode("latin-1"))
    with pytest.raises(TuneGridError, match=r"^file\.yaml, line 2: not UTF-8 \(byte 0xf6\)"):
        read_yaml(Path("file.yaml"))


def test_a_file_a_folder_and_a_pipe_that_cannot_be_read_are_named(folder):
    os.mkfifo("pipe.yaml")
    for name, says in (
        ("nowhere.yaml", "no such file"),
        (".", "cannot be read: Is a directory"),
        ("pipe.yaml", "not a regular file"),
        (f"{'long' * 100}.yaml", "cannot be read: File name too long"),
    ):
        with pytest.raises(TuneGridError, match=f"{name}: {says}"):
            read_yaml(Path(name))


def test_aliases_and_merge_keys_are_read_as_what_they_stand_for(folder):
    Path("file.yaml").write_text(
        "base: &base {a: 1, b: [2, yes, ~]}\nown: {<<: *base, a: 3}\nboth: [*base, *base]\nempty: &none\nagain: *none\n"
    )
    _, values = read_yaml(Path("file.yaml"))
    base = {"a": 1, "b": [2, True, None]}
    assert values == {"base": base, "own": {**base, "a": 3}, "both": [base, base], "empty": None, "again": None}


# -- bounds -----------------------------------------------------------------------------------------------------------


def test_lists_inside_lists_are_allowed_up_to_a_bound(folder):
    levels = DEEPEST - 2  # the file is a mapping, and the innermost value counts
    Path("file.yaml").write_text("a: " + "[" * levels + "1" + "]" * levels)
    read_yaml(Path("file.yaml"))
    assert f"more than {DEEPEST} lists" in refusal("a: " + "[" * DEEPEST + "1" + "]" * DEEPEST)


def test_levels_are_counted_across_aliases(folder):
    half = DEEPEST // 2
    text = "a: &a " + "[" * half + "1" + "]" * half + "\nb: " + "[" * half + "*a" + "]" * half
    message = refusal(text)
    assert message.startswith("file.yaml, line 2: ")
    assert f"more than {DEEPEST} lists" in message


def test_values_are_counted_with_their_aliases_expanded(folder, monkeypatch):
    monkeypatch.setattr(plain_yaml, "MOST_VALUES", 30)
    Path("file.yaml").write_text("a: &a [1, 2, 3]\nb: &b [*a, *a]\n")  # 1 + 2 keys + 4 + 9
    read_yaml(Path("file.yaml"))
    message = refusal("a: &a [1, 2, 3]\nb: &b [*a, *a]\nc: [*b, *b]\n")
    assert message == "file.yaml, line 3: more than 30 values, aliases expanded"


def test_merge_keys_count_as_what_they_merge(folder, monkeypatch):
    monkeypatch.setattr(plain_yaml, "MOST_VALUES", 30)
    assert "more than 30 values" in refusal("a: &a {b: 1, c: 2, d: 3}\ne: {<<: [*a, *a, *a]}\n")


def test_a_file_of_too_many_values_or_bytes_is_refused_before_it_is_built(folder, monkeypatch):
    built = []
    monkeypatch.setattr(plain_yaml._PlainLoader, "construct_document", built.append)
    monkeypatch.setattr(plain_yaml, "MOST_VALUES", 1000)
    assert "more than 1,000 values" in refusal("a: [" + "1, " * 1000 + "1]\n")
    assert f"larger than {MOST_BYTES:,} bytes" in refusal("#" * (MOST_BYTES + 1))
    assert not built


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def refusal(text: str) -> str:
    """The message with which a file of this text is refused."""
    Path("file.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(TuneGridError) as caught:
        read_yaml(Path("file.yaml"))
    return str(caught.value)
