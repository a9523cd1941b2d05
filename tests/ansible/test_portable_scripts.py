"""The scripts of .venv run wherever the checkout lies, in every locale."""

import os
import subprocess
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]
PROGRAM = "import locale, sys\nprint(sys.argv[1:], sys.flags.utf8_mode, locale.getlocale()[1])\n"


@pytest.mark.parametrize("locale", ["C", "de_DE.ISO-8859-1", None])
@pytest.mark.parametrize("directory", ["plain", 'it\'s "my" $HOME `id` \\ platform'])
# As pip writes the first line: in short, or in long where the path has blanks.
@pytest.mark.parametrize("first_line", ["#!{}/python3\n", "#!/bin/sh\n'''exec' \"{}/python3\" \"$0\" \"$@\"\n' '''\n"])
def test_script_finds_its_python(first_line: str, directory: str, locale: str | None, tmp_path: Path) -> None:
    scripts = tmp_path / directory
    scripts.mkdir()
    scripts.joinpath("python").symlink_to("/usr/bin/python3")
    script = scripts / "tool"
    script.write_text(first_line.format(scripts) + PROGRAM)
    script.chmod(0o755)
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("LC_", "LANG"))}
    environment |= {"LC_ALL": locale} if locale else {}

    for _ in range(2):
        subprocess.run([PROJECT / "requirements/portable-scripts", scripts], check=True)
    result = subprocess.run([script, "a b", "c"], capture_output=True, text=True, check=False, env=environment)

    assert result.stderr == ""
    assert result.stdout == "['a b', 'c'] 0 UTF-8\n"
    assert script.read_text().count("exec") == 1


def test_what_is_no_script_of_python_is_left_alone(tmp_path: Path) -> None:
    binary, shell = tmp_path / "ruff", tmp_path / "activate.sh"
    binary.write_bytes(b"\x7fELF\0\n#!python\n")
    shell.write_text("#!/bin/sh\necho python\n")

    subprocess.run([PROJECT / "requirements/portable-scripts", tmp_path], check=True)

    assert binary.read_bytes() == b"\x7fELF\0\n#!python\n"
    assert shell.read_text() == "#!/bin/sh\necho python\n"
