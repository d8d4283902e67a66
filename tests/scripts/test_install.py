"""What cmake --install puts down is complete: the program runs from there, and another project links the library."""
import re
import shutil
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


def test_manual_pages_are_installed(prefix, tmp_path):
    run(BUILD / "w2w", "help", "--man", tmp_path, cwd=tmp_path)
    pages = prefix / "share" / "man" / "man1"
    assert {p.name: p.read_bytes() for p in pages.iterdir()} == {p.name: p.read_bytes() for p in tmp_path.glob("*.1")}
    assert (pages / "w2w-space-build.1").exists()


def cached(name):
    """A variable of the build's CMake cache."""
    return re.search(rf"^{name}:\w+=(.*)$", (BUILD / "CMakeCache.txt").read_text(), re.M)[1]


def libraries(program):
    """What the dynamic linker takes for the program, by name."""
    return {line.split()[0]: line.split()[2] for line in run("ldd", program, cwd="/").splitlines() if "=>" in line}


@pytest.mark.skipif(cached("W2W_INSTALL_TORCH") == "no", reason="this build uses a LibTorch outside the clone: it stays there")
def test_an_installed_program_outlives_the_clone(prefix):
    found = libraries(prefix / "bin" / "w2w")
    assert not [path for path in found.values() if str(ROOT) in path or path == "not"], found
    assert {"libtorch_cpu.so", "libc10.so", "libgomp.so.1"} <= set(found)
    assert str(prefix) in found["libtorch_cpu.so"]


def test_a_quickstart_tree_installs(tmp_path):
    """There only the program is built: not the plug-in where there is no GPU, no tests, no benchmark."""
    tree, folder = tmp_path / "build", tmp_path / "prefix"
    run("cmake", "-S", ROOT, "-B", tree, "-G", "Ninja", f"-DW2W_TORCH_ROOT={cached('W2W_TORCH_ROOT')}",
        f"-DCMAKE_BUILD_TYPE={cached('CMAKE_BUILD_TYPE')}", f"-DW2W_CUDA={cached('W2W_CUDA')}", cwd=tmp_path)
    for built in [BUILD / "w2w", *BUILD.glob("libw2w_*.a")]:
        shutil.copy2(built, tree)
    run("cmake", "--install", tree, "--prefix", folder, cwd=tmp_path)
    assert "w2w" in run(folder / "bin" / "w2w", "--version", cwd=tmp_path)
    assert not (folder / "lib" / "libw2w_cuda.so").exists()


def test_another_project_links_the_library(prefix, tmp_path):
    run("cmake", "-S", CONSUMER, "-B", tmp_path, "-G", "Ninja", f"-DCMAKE_PREFIX_PATH={prefix}", cwd=tmp_path)
    run("cmake", "--build", tmp_path, cwd=tmp_path)
    assert run(tmp_path / "consumer", cwd=tmp_path).split() == [
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",  # FIPS 180-2, "abc"
        "320", "1125", "539", "320", "2368"]  # what every CLIP tokenizer says
