"""What every Python test shares: the programs under test, run as a user runs them."""
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import psutil
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

    def start(self, *arguments, **options):
        """The program in the background. `until` waits for what it does."""
        streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True} | options
        return subprocess.Popen([str(self.path), *map(str, arguments)], cwd=self.home, env=self.environment(), **streams)


def until(condition, process=None, seconds=120):
    """Waits until condition() is true, and returns that value. Fails after so many seconds, or where `process` ends before."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert process is None or process.poll() is None or condition(), f"the program ended with {process.returncode}"
        assert time.monotonic() < deadline, f"not within {seconds} s"
        time.sleep(0.002)
    return value


@pytest.fixture
def w2w(tmp_path):
    """The program `w2w`, run in an empty folder that is also its home."""
    return Program("w2w", tmp_path)


@pytest.fixture
def probe(tmp_path):
    """The program `w2w_probe`: single parts of the library on tensors from a file."""
    return Program("w2w_probe", tmp_path)


def pytest_addoption(parser):
    parser.addini("deadline", "seconds that each part of a test may take, where its mark `deadline` gives no others", default="900")


def in_time(item):
    """Every wait ends: what is late fails, and what it started is killed. Pytest's own process waits in the main thread."""
    mark = item.get_closest_marker("deadline")
    seconds = mark.args[0] if mark else int(item.config.getini("deadline"))

    def late(*_):
        for process in psutil.Process().children(recursive=True):
            process.kill()
        pytest.fail(f"not done after {seconds} s")

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(seconds)
    try:
        return (yield)
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup(item):
    return (yield from in_time(item))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item):
    return (yield from in_time(item))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item):
    return (yield from in_time(item))


def pytest_collection_modifyitems(items):
    reasons = {
        "gpu": None if shutil.which("nvidia-smi") else "no NVIDIA GPU on this machine",
        "full_size": None if os.environ.get("W2W_FULL_SIZE") else "W2W_FULL_SIZE is not set",
    }
    for item in items:
        for mark, reason in reasons.items():
            if reason and item.get_closest_marker(mark):
                item.add_marker(pytest.mark.skip(reason=reason))
