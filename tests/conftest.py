"""What every Python test shares: the programs under test, run as a user runs them."""
import os
import signal
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
BUILD = Path(os.environ.get("W2W_BUILD", ROOT / "build")).resolve()  # W2W_BUILD: test the programs of another build folder

signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job ignores it, and so would every program
signal.signal(signal.SIGHUP, signal.SIG_DFL)  # and what nohup started ignores this one


class Program:
    """A built program. Calling it returns the finished process; a wrong exit code fails the test with its messages."""

    def __init__(self, name, home):
        self.path = BUILD / name
        self.home = home
        if not self.path.exists():
            pytest.fail(f"{self.path} is not built: run scripts/test, or cmake --build --preset release")

    def environment(self, **changes):
        """No setting, cache or colour of the person who runs the tests reaches the program."""
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("W2W_", "HF_", "HUGGINGFACE_", "XDG_"))}
        kept |= {"HOME": str(self.home), "NO_COLOR": "1", "LC_ALL": "C.UTF-8", "W2W_DEVICE": "cpu"}  # tests/gpu names the other
        return {k: v for k, v in (kept | changes).items() if v is not None}

    def __call__(self, *arguments, code=0, cwd=None, stdin="", timeout=300, **environment):
        command = [str(self.path), *map(str, arguments)]
        done = subprocess.run(command, capture_output=True, text=True, input=stdin, timeout=timeout, cwd=cwd or self.home,
                              env=self.environment(**environment))
        assert done.returncode == code, (
            f"{' '.join(command)}\nexit code {done.returncode}, expected {code}\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}")
        return done


@pytest.fixture
def w2w(tmp_path):
    """The program `w2w`, run in an empty folder that is also its home."""
    return Program("w2w", tmp_path)


@pytest.fixture
def probe(tmp_path):
    """The program `w2w_probe`: single parts of the library on tensors from a file."""
    return Program("w2w_probe", tmp_path)


def pytest_collection_modifyitems(items):
    import shutil
    reasons = {
        "gpu": None if shutil.which("nvidia-smi") else "no NVIDIA GPU on this machine",
        "full_size": None if os.environ.get("W2W_FULL_SIZE") else "W2W_FULL_SIZE is not set",
        "real_weights": None if os.environ.get("W2W_REAL_MODEL") else "W2W_REAL_MODEL is not set",
    }
    for item in items:
        for mark, reason in reasons.items():
            if reason and item.get_closest_marker(mark):
                item.add_marker(pytest.mark.skip(reason=reason))
