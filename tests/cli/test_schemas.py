"""The JSON Schemas that the project ships are those of its classes."""

import json

import jsonschema
import pytest
import yaml

from tests.support import ROOT
from tunegrid.cli import main

SCHEMAS = ROOT / "resources" / "schemas"


def test_shipped_schemas_are_up_to_date(tmp_path):
    assert main(["schema", str(tmp_path)]) == 0
    written = {file.name: file.read_text() for file in tmp_path.iterdir()}
    shipped = {file.name: file.read_text() for file in SCHEMAS.iterdir()}
    assert written == shipped, "run `tunegrid schema resources/schemas` and commit what it writes"


@pytest.mark.parametrize("config", sorted((ROOT / "config").glob("*.yaml")), ids=lambda path: path.name)
def test_the_studies_of_the_project_follow_the_schema(config):
    schema = json.loads((SCHEMAS / "study.schema.json").read_text())
    jsonschema.validate(yaml.safe_load(config.read_text()), schema)


def test_the_schema_rejects_an_unknown_key():
    schema = json.loads((SCHEMAS / "study.schema.json").read_text())
    study = yaml.safe_load((ROOT / "config" / "mini.yaml").read_text()) | {"sedes": [1]}
    with pytest.raises(jsonschema.ValidationError, match="sedes"):
        jsonschema.validate(study, schema)


def test_config_readme_names_every_key_of_a_study():
    schema = json.loads((SCHEMAS / "study.schema.json").read_text())
    objects = [schema, *schema["$defs"].values()]
    keys = {key for one in objects for key in one.get("properties", {})}
    text = (ROOT / "config" / "README.md").read_text()
    assert {key for key in keys if f"`{key}`" not in text and f"{key}:" not in text} == set()
