"""How threads are used: they do not burn each other's time, and how many there are changes roundings at most."""
import os
import subprocess
import time

import numpy as np
import pytest
from PIL import Image


def environment_of(w2w, **changes):
    """The environment that the program runs with, read from outside while it waits for its standard input."""
    kept = {k: v for k, v in w2w.environment(**changes).items() if not k.startswith(("GOMP_", "OMP_")) or k in changes}
    with subprocess.Popen([w2w.path, "tokens", "--file", "-"], env=kept, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True) as process:
        time.sleep(.5)  # it starts itself again within milliseconds; nothing is timed here
        found = dict(line.split("=", 1) for line in open(f"/proc/{process.pid}/environ").read().split("\0") if "=" in line)
        name = open(f"/proc/{process.pid}/comm").read().strip()
        process.communicate("a person\n", timeout=60)
    assert process.returncode == 0
    assert name == "w2w"
    return found


def test_waiting_threads_spin_briefly_unless_the_user_says_how(w2w):
    before = w2w.environment()
    found = environment_of(w2w)
    assert found.pop("GOMP_SPINCOUNT") == "10000"
    assert {k: found[k] for k in before if k in found} == {k: v for k, v in before.items() if k in found}
    assert environment_of(w2w, GOMP_SPINCOUNT="77")["GOMP_SPINCOUNT"] == "77"
    assert "GOMP_SPINCOUNT" not in environment_of(w2w, OMP_WAIT_POLICY="passive")


@pytest.mark.skipif(os.cpu_count() < 2, reason="one core: there is nothing to compare")
def test_the_number_of_threads_changes_roundings_at_most(w2w, tmp_path):
    command = ["sample", "--count", 2, "--identity-seed", 1, "-s", 5, "-q"]
    for threads in (1, 2):
        w2w(*command, "-t", threads, "-o", f"threads{threads}", OMP_NUM_THREADS=None)
    for i in (1, 2):
        one, two = (tmp_path / f"threads{t}" for t in (1, 2))
        assert (one / f"person-{i}.safetensors").read_bytes() == (two / f"person-{i}.safetensors").read_bytes()
        pictures = [np.asarray(Image.open(folder / f"person-{i}_p1_s5.png")).astype(int) for folder in (one, two)]
        assert abs(pictures[0] - pictures[1]).max() <= 1  # of 255; measured in fewer than one value of a thousand
