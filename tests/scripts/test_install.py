"""What cmake --install puts down is complete: the program runs from there, wherever it is moved, another project links the library,
and the target uninstall takes all of it away."""
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from conftest import BUILD, ROOT

CONSUMER = ROOT / "tests" / "consumer"


def run(*command, cwd):
    done = subprocess.run(list(map(str, command)), cwd=cwd, capture_output=True, text=True)
    assert done.returncode == 0, f"{command}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    return done.stdout


def cached(name):
    """A variable of the build's CMake cache."""
    return re.search(rf"^{name}:\w+=(.*)$", (BUILD / "CMakeCache.txt").read_text(), re.M)[1]


def libraries(program):
    """What the dynamic linker takes for the program, by name."""
    return {line.split()[0]: line.split()[2] for line in run("ldd", program, cwd="/").splitlines() if "=>" in line}


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    """A build folder as scripts/quickstart leaves it, but for the libraries, with a manifest of its own: only the program is built,
    not the plug-in where there is no GPU, no tests, no benchmark."""
    tree = tmp_path_factory.mktemp("build")
    run("cmake", "-S", ROOT, "-B", tree, "-G", "Ninja", f"-DW2W_TORCH_ROOT={cached('W2W_TORCH_ROOT')}", "-DW2W_TESTS=OFF",
        f"-DCMAKE_BUILD_TYPE={cached('CMAKE_BUILD_TYPE')}", f"-DW2W_CUDA={cached('W2W_CUDA')}", cwd=tree)
    for built in [BUILD / "w2w", *BUILD.glob("libw2w_*.a")]:
        shutil.copy2(built, tree)
    return tree


def install(tree, prefix, component):
    run("cmake", "--install", tree, "--component", component, "--prefix", prefix, cwd=prefix)
    return {str(path.relative_to(prefix)) for path in prefix.rglob("*") if not path.is_dir()}


@pytest.fixture(scope="module")
def runtime(tree, tmp_path_factory):
    """Its files' names, and where it is. Nothing that runs the program is installed beside it."""
    prefix = tmp_path_factory.mktemp("runtime")
    return install(tree, prefix, "runtime"), prefix


@pytest.fixture(scope="module")
def prefix(tree, runtime, tmp_path_factory):
    """Both components: the second beside links to the files of the first."""
    files, first = runtime
    prefix = tmp_path_factory.mktemp("both") / "prefix"
    shutil.copytree(first, prefix, copy_function=os.link)
    assert {name.split("/")[0] for name in install(tree, prefix, "development") - files} == {"include", "lib"}
    return prefix


def outside(prefix, *command):
    """What the command, found by PATH alone, prints in an empty home elsewhere."""
    home = prefix.parent / "home"
    home.mkdir(exist_ok=True)
    done = subprocess.run(command, cwd=home, capture_output=True, text=True, env={"PATH": f"{prefix}/bin:/usr/bin:/bin", "HOME": str(home), "W2W_DEVICE": "cpu"})
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_runtime_is_what_a_user_needs(runtime):
    files, _ = runtime
    assert {"bin/w2w", "share/w2w/demo/space/space.json", "share/man/man1/w2w-space-build.1", "share/bash-completion/completions/w2w",
            "share/zsh/site-functions/_w2w", "share/fish/vendor_completions.d/w2w.fish", "share/doc/w2w/LICENSE",
            "share/doc/w2w/NOTICE.vocabulary", "share/doc/w2w/NOTICE.fonts"} <= files
    assert [name for name in files if name.endswith((".a", ".h", ".cmake")) or name.startswith("include")] == []
    assert not [name for name in files if "w2w" not in name], "every name is w2w's own"


def test_the_rest_is_for_developers(runtime, prefix):
    added = {str(path.relative_to(prefix)) for path in prefix.rglob("*") if not path.is_dir()} - runtime[0]
    assert {"include/w2w/base/error.h", "lib/libw2w_base.a", "lib/cmake/w2w/w2wConfig.cmake", "lib/cmake/w2w/Torch.cmake"} <= added
    assert {Path(name).suffix for name in added} == {".h", ".a", ".cmake"}


def test_texts_are_those_of_the_program(prefix, tmp_path):
    run(BUILD / "w2w", "help", "--man", tmp_path, cwd=tmp_path)
    pages = prefix / "share" / "man" / "man1"
    assert {p.name: p.read_bytes() for p in pages.iterdir()} == {p.name: p.read_bytes() for p in tmp_path.glob("*.1")}
    for shell, path in ("bash", "bash-completion/completions/w2w"), ("zsh", "zsh/site-functions/_w2w"), ("fish", "fish/vendor_completions.d/w2w.fish"):
        assert (prefix / "share" / path).read_text() == run(BUILD / "w2w", "completion", shell, cwd=tmp_path)


def test_the_tree_may_be_moved(runtime, tmp_path):
    """The demo world and the libraries are found beside the program, not where they were installed or built."""
    moved = tmp_path / "moved by a user" / "w2w"
    shutil.copytree(runtime[1], moved, copy_function=os.link)
    assert "w2w" in outside(moved, "w2w", "--version")
    assert f"{moved}/share/w2w/demo/space" in outside(moved, "w2w", "doctor")
    assert outside(moved, "w2w", "sample", "--identity-seed", "7", "--steps", "1", "-s", "5").splitlines() == ["person-7.safetensors", "person-7_p1_s5.png"]


@pytest.mark.skipif(cached("W2W_INSTALL_TORCH") == "no", reason="this build uses a LibTorch outside the clone: it stays there")
def test_an_installed_program_outlives_the_clone(prefix):
    found = libraries(prefix / "bin" / "w2w")
    assert not [path for path in found.values() if str(ROOT) in path or path == "not"], found
    assert {"libtorch_cpu.so", "libc10.so", "libgomp.so.1"} <= set(found)
    assert str(prefix) in found["libtorch_cpu.so"]


def test_uninstall_removes_what_was_installed(tree, tmp_path):
    """By a manifest for each component; what others put there stays."""
    for component in "runtime", "development":
        install(tree, tmp_path, component)
    assert not (tmp_path / "lib" / "libw2w_cuda.so").exists()  # not built here
    (tmp_path / "share/w2w/mine").write_text("")
    run("cmake", "--build", tree, "--target", "uninstall", cwd=tmp_path)
    assert [str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if not path.is_dir()] == ["share/w2w/mine"]
    assert not [path for path in tmp_path.rglob("*w2w*") if path.is_dir() and path != tmp_path / "share/w2w"]
    done = subprocess.run(["cmake", "-P", tree / "uninstall.cmake"], capture_output=True, text=True)
    assert done.returncode and "nothing to uninstall" in done.stderr


@pytest.mark.skipif(not (BUILD / "libw2w_cuda.so").exists(), reason="the CUDA plug-in is not built")
def test_the_plug_in_is_installed_where_it_was_built(tree, tmp_path):
    shutil.copy2(BUILD / "libw2w_cuda.so", tree)
    try:
        assert "lib/libw2w_cuda.so" in install(tree, tmp_path, "runtime")
    finally:
        (tree / "libw2w_cuda.so").unlink()


def test_another_project_links_the_library(prefix, tmp_path):
    run("cmake", "-S", CONSUMER, "-B", tmp_path, "-G", "Ninja", f"-DCMAKE_PREFIX_PATH={prefix}", cwd=tmp_path)
    run("cmake", "--build", tmp_path, cwd=tmp_path)
    assert run(tmp_path / "consumer", cwd=tmp_path).split() == [
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",  # FIPS 180-2, "abc"
        "320", "1125", "539", "320", "2368"]  # what every CLIP tokenizer says
