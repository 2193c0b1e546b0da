"""Files of YAML that cannot be read as settings."""

from pathlib import Path

import pytest

from tunegrid.common.errors import TuneGridError
from tunegrid.common.yaml_file import ConfigFile


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("study: [", "not valid YAML"),
        ("", "mapping"),
        ("- a\n- b\n", "mapping"),
        ("just text", "mapping"),
        ("? [a, b]\n: c\n", "not valid YAML"),
        ("study: !!python/object:os.system x", "not valid YAML"),
    ],
)
def test_a_file_that_is_no_mapping_is_refused(tmp_path, monkeypatch, text, says):
    monkeypatch.chdir(tmp_path)
    Path("first.yaml").write_text(text)
    with pytest.raises(TuneGridError) as caught:
        ConfigFile.read([Path("first.yaml")])
    assert str(caught.value).startswith("first.yaml")
    assert says in str(caught.value)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(TuneGridError, match=r"nowhere\.yaml: no such file"):
        ConfigFile.read([tmp_path / "nowhere.yaml"])


def test_a_folder_instead_of_a_file_is_named(tmp_path):
    with pytest.raises(TuneGridError, match="cannot be read"):
        ConfigFile.read([tmp_path])


def test_a_merged_key_is_looked_for_where_it_stands(tmp_path):
    file = tmp_path / "study.yaml"
    file.write_text("base: &base\n  a: 1\n  b: 2\nown:\n  <<: *base\n  b: 3\n")
    config = ConfigFile.read([file])
    assert config.where(("own", "a")) == f"{file}, line 2: own.a"
    assert config.where(("own", "b")) == f"{file}, line 6: own.b"
