"""What the system takes away while w2w runs: memory, threads, and the end of a file that is mapped."""
import os
import resource
import shutil
import subprocess
import tempfile

import pytest

from conftest import ROOT, until

DEMO = ROOT / "share/w2w/demo"
DRAW = ["sample", "--identity-seed", "1", "-s", "1", "--steps", "2"]


def limited(w2w, arguments, cwd=None, user=None, **limits):
    def limit():
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        for name, value in limits.items():
            resource.setrlimit(getattr(resource, f"RLIMIT_{name}"), (value, value))
    return subprocess.run([w2w.path, *arguments], cwd=cwd or w2w.home, env=w2w.environment(OMP_NUM_THREADS=None), preexec_fn=limit, user=user,
                          capture_output=True, text=True, timeout=120)


@pytest.mark.parametrize("arguments", [DRAW, [*DRAW, "-W", "256", "-H", "256", "-t", "2"], ["invert", DEMO / "photo.png", "--steps", "2"]],
                         ids=["sample", "large and threads", "invert"])
def test_too_little_memory_exits_5(w2w, arguments):
    """From where the system's linker finds room for LibTorch up to where the work is done."""
    short = 0
    for megabytes in range(390, 650, 26):
        done = limited(w2w, [*arguments, "--force"], AS=megabytes << 20)
        if done.returncode == 127:  # the linker's own: "failed to map segment from shared object"
            continue
        assert done.returncode in (0, 5), f"{megabytes} MB: {done.returncode}\n{done.stderr[-500:]}"
        assert done.returncode == 0 or "w2w: error: " in done.stderr, done.stderr
        short += done.returncode == 5
    assert short >= 3


def test_no_thread_exits_5(w2w):
    """libgomp prints a line and exits with 1 by itself; LibTorch's pool would wait forever."""
    user = 65534 if os.getuid() == 0 else None  # root may start any number of processes
    for threads in ([], ["-t", "64"]):
        with tempfile.TemporaryDirectory(dir="/tmp") as folder:
            os.chmod(folder, 0o777)
            done = limited(w2w, [*DRAW, *threads], cwd=folder, user=user, NPROC=1)
        assert done.returncode == 5 and "cannot start another thread" in done.stderr, done.stderr


@pytest.mark.parametrize("cut", ["model/unet/diffusion_pytorch_model.safetensors", "space/V.pt"])
def test_a_file_that_is_cut_short_under_a_run_exits_3(w2w, tmp_path, world, cut):
    shutil.copytree(world.model, tmp_path / "model")
    world.space.save_released(tmp_path / "space")
    process = subprocess.Popen([w2w.path, "sample", "--count", "5000", "--steps", "5", "-s", "1", "-m", "model", "--space", "space", "-o", "out"],
                               cwd=tmp_path, env=w2w.environment(), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    until(lambda: list(tmp_path.glob("out/*.png")), process)
    os.truncate(tmp_path / cut, 100)
    try:
        _, error = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 3, error[-500:]
    what, hint = error.splitlines()[-2:]
    assert what == f"w2w: error: file changed while it was read ({cut}): expected the bytes that it had when it was opened, found fewer"
    assert hint == "hint: it was cut short or its disk failed while w2w read it; copy it again"
