"""What cmake --install puts down is complete: the program runs from there, and another project links the library."""
import subprocess

import pytest

from conftest import BUILD, ROOT

CONSUMER = ROOT / "tests" / "consumer"


def run(*command, cwd):
    done = subprocess.run(list(map(str, command)), cwd=cwd, capture_output=True, text=True)
    assert done.returncode == 0, f"{command}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    return done.stdout


@pytest.fixture(scope="module")
def prefix(tmp_path_factory):
    folder = tmp_path_factory.mktemp("prefix")
    run("cmake", "--install", BUILD, "--prefix", folder, cwd=folder)
    return folder


def test_the_program_runs_from_its_prefix(prefix, tmp_path):
    assert (prefix / "share" / "w2w").is_dir()
    assert "w2w" in run(prefix / "bin" / "w2w", "--version", cwd=tmp_path)


def test_another_project_links_the_library(prefix, tmp_path):
    run("cmake", "-S", CONSUMER, "-B", tmp_path, "-G", "Ninja", f"-DCMAKE_PREFIX_PATH={prefix}", cwd=tmp_path)
    run("cmake", "--build", tmp_path, cwd=tmp_path)
    assert run(tmp_path / "consumer", cwd=tmp_path).split() == [
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",  # FIPS 180-2, "abc"
        "320", "1125", "539", "320", "2368"]  # what every CLIP tokenizer says
