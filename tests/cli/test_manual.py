"""The manual pages and the tables of docs/cli.md are what the commands say of themselves."""
import re
import shutil
import subprocess
import sys

import pytest

from conftest import ROOT


@pytest.fixture
def pages(w2w, tmp_path):
    paths = w2w("help", "--man", "man/man1").stdout.split()
    assert sorted(paths) == sorted(f"man/man1/{path.name}" for path in (tmp_path / "man/man1").iterdir())
    return {path.stem: path for path in sorted((tmp_path / "man/man1").iterdir())}


def lines_of(text, heading):
    return re.findall(r"^  (\w+) ", text.partition(f"\n{heading}\n")[2].partition("\n\n")[0], re.M)


def shown(path):
    done = subprocess.run(["groff", "-man", "-Tascii", "-ww", "-P-cbou", path], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, ""), f"{path.name}: {done.stderr}"
    return done.stdout


def test_there_is_a_page_for_every_command_and_action(w2w, pages):
    commands = lines_of(w2w().stdout, "Commands")
    actions = [f"{command}-{action}" for command in commands for action in lines_of(w2w("help", command).stdout, "Actions")]
    assert set(pages) == {"w2w"} | {f"w2w-{name}" for name in commands + actions}
    assert {"w2w-sample", "w2w-space", "w2w-space-build", "w2w-direction-list"} < set(pages)
    assert not list(pages["w2w"].parent.glob(".*"))


def test_pages_are_ascii_and_say_the_same_anywhere(w2w, pages, tmp_path):
    w2w("help", "--man", tmp_path / "again")
    for path in pages.values():
        text = path.read_bytes()
        assert text.decode("ascii") and text == (tmp_path / "again" / path.name).read_bytes()
        assert str(tmp_path).encode() not in text


@pytest.mark.skipif(not shutil.which("groff"), reason="groff is not installed")
def test_groff_shows_every_option_without_a_warning(w2w, pages):
    for name, path in pages.items():
        page = " ".join(shown(path).split())
        assert f"NAME {name} - " in page
        if name == "w2w":
            assert "w2w-space(1)" in page and "130 interrupted" in page
            continue
        words = name.split("-")[1:]
        help_text = w2w("help", *words).stdout
        for usage in re.findall(r"^ +((?:-\w, )?--[\w-]+(?:, --[\w-]+)*(?: [^\s|]+)?)(?:\s|\||$)", help_text.partition("\nUsage\n")[2], re.M):
            assert usage in page, (name, usage)
        for example in re.findall(r"^  (w2w \S+)", help_text.partition("\nUsage\n")[0], re.M):
            assert example in page
    build = " ".join(shown(pages["w2w-space-build"]).split())
    assert "w2w space build SOURCE... [OPTIONS]" in build and '"sks person"' in build and "`train`" in build


@pytest.mark.skipif(not shutil.which("mandoc"), reason="mandoc is not installed")
def test_mandoc_finds_nothing(pages):
    for path in pages.values():
        done = subprocess.run(["mandoc", "-T", "lint", "-W", "warning", path], capture_output=True, text=True)
        assert [line for line in done.stdout.splitlines() if "missing date" not in line] == [], done.stdout


def test_man_finds_the_pages(pages):
    if not shutil.which("man"):
        pytest.skip("man is not installed")
    done = subprocess.run(["man", "-l", pages["w2w-sample"]], capture_output=True, text=True, env={"PATH": "/usr/bin:/bin", "MANWIDTH": "80", "LC_ALL": "C"})
    if "minimized" in done.stdout + done.stderr:
        pytest.skip("this system has no manual pages")
    assert done.returncode == 0 and "--identity-seed" in done.stdout


def test_the_tables_of_the_document_are_those_of_the_program(w2w):
    done = subprocess.run([sys.executable, ROOT / "scripts" / "option_tables.py", "--check"], capture_output=True, text=True,
                          env=w2w.environment(W2W_BUILD=str(w2w.path.parent)))
    assert done.returncode == 0, done.stderr


def test_the_tables_hold_every_option(w2w):
    text = w2w("help", "--markdown").stdout
    sections = dict(re.findall(r"^### `w2w ([\w -]+)`\n(.*?)(?=^### |\Z)", text, re.M | re.S))
    assert "| `--method auto\\|exact\\|randomized` |" in sections["space build"]
    assert "| `-s, --seed LIST` |" in text.partition("### `w2w")[0] and "`--seed`" in sections["sample"].partition("Shared: ")[2]
    assert "Accepted without use: `--space`" in sections["space build"]
    for command, section in sections.items():
        options = re.findall(r"^ +(?:-\w, )?(--[\w-]+)", w2w("help", *command.split()).stdout.partition("\nGeneral\n")[0].partition("\nUsage\n")[2], re.M)
        for option in options:
            assert f"{option}`" in section or f"{option} " in section or f"{option}, --" in section, (command, option)
