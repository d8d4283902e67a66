"""A test that waits for what does not come fails in time, and leaves nothing running."""
import subprocess
import sys

import psutil

from conftest import ROOT

WAITING = '''
import subprocess
import pytest

def test_process(tmp_path):
    process = subprocess.Popen(["sleep", "1234.5"])
    (tmp_path.parent.parent / "pid").write_text(str(process.pid))
    process.wait()

@pytest.mark.deadline(3)
def test_pipe():
    subprocess.run(["sleep", "1234.5"], stdout=subprocess.PIPE)

@pytest.fixture
def prepared():
    subprocess.run(["sleep", "1234.5"])

def test_fixture(prepared):
    pass

def test_after_the_others():
    pass
'''


def test_waits_end(tmp_path):
    (tmp_path / "tests").mkdir()
    for name in ("conftest.py", "pytest.ini"):
        (tmp_path / "tests" / name).write_text((ROOT / "tests" / name).read_text())
    (tmp_path / "tests/test_waiting.py").write_text(WAITING)
    done = subprocess.run([sys.executable, "-m", "pytest", tmp_path / "tests", "-n", "0", "-o", "deadline=1", f"--basetemp={tmp_path / 'base'}"],
                          capture_output=True, text=True, timeout=120, cwd=tmp_path)
    assert done.returncode == 1, done.stdout
    assert "FAILED tests/test_waiting.py::test_process - Failed: not done after 1 s" in done.stdout
    assert "FAILED tests/test_waiting.py::test_pipe - Failed: not done after 3 s" in done.stdout
    assert "ERROR tests/test_waiting.py::test_fixture - Failed: not done after 1 s" in done.stdout
    assert "1 passed, 2 failed, 1 error" in done.stdout or "2 failed, 1 passed, 1 error" in done.stdout
    assert not [p for p in psutil.process_iter(["cmdline"]) if p.info["cmdline"] == ["sleep", "1234.5"]]
