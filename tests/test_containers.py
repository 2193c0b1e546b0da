"""The two recipes of the container install the same, and all that the package needs."""

import re
import tomllib

from tests.support import ROOT

DOCKER = (ROOT / "containers/Dockerfile").read_text()
APPTAINER = (ROOT / "containers/apptainer.def").read_text()


def installed(text: str) -> list[str]:
    """The installing commands of a recipe, in order, on one line each."""
    text = re.sub(r"^#.*\n", "", text, flags=re.MULTILINE).replace("\\\n", " ")
    found = re.findall(r"(?:apt-get|pip) install [^&\n]*", text)
    return [" ".join(command.split()) for command in found]


def test_both_recipes_install_the_same():
    assert installed(DOCKER) == installed(APPTAINER)
    assert len(installed(DOCKER)) == 3


def test_the_images_packages_are_those_of_the_makefile():
    packages = re.search(r"TEX_PACKAGES := (.*)", (ROOT / "Makefile").read_text())[1]
    assert packages in installed(DOCKER)[0]


def test_the_apptainer_image_gets_every_file_that_the_package_is_built_from():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    wheel = project["tool"]["hatch"]["build"]["targets"]["wheel"]
    needed = {
        "requirements.txt",
        project["project"]["readme"],
        *project["project"]["license-files"],
        *wheel["packages"],
    }
    needed |= set(wheel["force-include"])
    copied = re.findall(r"^ +(\S+) /opt/tunegrid/", APPTAINER, flags=re.MULTILINE)
    for file in needed:
        assert (ROOT / file).exists()
        assert any(file == name or file.startswith(f"{name}/") for name in copied), file


def test_the_server_s_image_adds_the_extra_and_starts_the_command():
    import json

    from tunegrid.cli.dispatch import parser

    text = (ROOT / "containers/Dockerfile.serve").read_text()
    copied = re.findall(r"^COPY (.+) /opt/tunegrid/?$", text + DOCKER, re.MULTILINE)
    assert len(copied) == 3
    assert all((ROOT / file).exists() for file in copied)
    (command,) = installed(text)
    assert command.endswith("requirements.txt --requirement /opt/tunegrid/requirements-serve.txt")
    (entry,) = re.findall(r"^ENTRYPOINT (.*)$", text, re.MULTILINE)
    options = parser().parse_args([*json.loads(entry)[1:], "config/mini.yaml", "--task", "qa"])
    assert (options.config, options.host, options.port) == (["config/mini.yaml"], "0.0.0.0", 8000)
