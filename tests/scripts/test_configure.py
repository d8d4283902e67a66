"""Which flags a build compiles with: warnings stop nobody but those who ask for it, and optimisation is the user's choice."""
import json
import subprocess

import pytest

from conftest import ROOT
from scripts.test_install import cached


@pytest.fixture
def flags(tmp_path, monkeypatch):
    """flags(...): the words of every compile command of a release build that is configured so."""
    def configured(*options, cxxflags=""):
        monkeypatch.setenv("CXXFLAGS", cxxflags)
        done = subprocess.run(["cmake", "-S", ROOT, "-B", tmp_path, "-G", "Ninja", "-DCMAKE_BUILD_TYPE=Release", "-DW2W_CUDA=OFF",
                               f"-DW2W_TORCH_ROOT={cached('W2W_TORCH_ROOT')}", *options], capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stderr
        commands = json.loads((tmp_path / "compile_commands.json").read_text())
        found = {command["file"]: command["command"].split() for command in commands if not command["file"].endswith(".S")}
        assert len(found) > 200
        return found.values()
    return configured


def test_a_build_as_it_comes(flags):
    for words in flags():
        assert "-Werror" not in words and "-O2" in words and "-DNDEBUG" in words and "-O3" not in words


def test_warnings_are_errors_where_we_ask_for_it(flags):
    assert "-DW2W_WERROR=ON" in (ROOT / "scripts/test").read_text()
    for words in flags("-DW2W_WERROR=ON"):
        assert "-Werror" in words and "-Wall" in words


@pytest.mark.parametrize("options, cxxflags", [([], "-O3 -march=x86-64-v2"), (["-DCMAKE_CXX_FLAGS=-O3 -march=x86-64-v2"], ""),
                                               (["-DCMAKE_CXX_FLAGS_RELEASE=-O3", "-DCMAKE_CXX_FLAGS=-march=x86-64-v2"], "")])
def test_optimisation_is_the_users(flags, options, cxxflags):
    for words in flags(*options, cxxflags=cxxflags):
        assert "-O3" in words and "-march=x86-64-v2" in words and "-O2" not in words
