"""`w2w doctor`: what was found, a self-test, and exit code 1 when something is wrong."""
import json

import torch

from conftest import ROOT

DEMO = ROOT / "share" / "w2w" / "demo"
NAMES = ["w2w", "LibTorch", "processor", "memory", "threads", "devices", "model", "space", "hub cache", "arithmetic",
         "random numbers", "tokens", "files", "model and space"]


def checks(done):
    result = json.loads(done.stdout)
    return result["ok"], {check["name"]: check for check in result["checks"]}


def test_all_is_well_with_the_demo_world(w2w):
    text = w2w("doctor").stdout
    assert text.endswith("All checks passed.\n") and "WRONG" not in text
    ok, found = checks(w2w("doctor", "--json"))
    assert ok and list(found) == NAMES and all(check["ok"] for check in found.values())
    assert torch.__version__.split("+")[0] in found["LibTorch"]["found"]
    assert "demo/model (" in found["model"]["found"]


def test_threads(w2w):
    assert checks(w2w("doctor", "--json", "-t", "1"))[1]["threads"]["found"].startswith("1 of ")


def test_a_missing_model_is_wrong(w2w, tmp_path):
    done = w2w("doctor", "--json", "-m", "none", "--space", tmp_path, code=1)
    ok, found = checks(done)
    assert not ok and [name for name, check in found.items() if not check["ok"]] == ["model", "space"]
    assert "2 of 13 checks failed" in done.stderr
    assert "\nWRONG model " in w2w("doctor", "-m", "none", code=1).stdout


def test_a_space_of_another_model_is_wrong(w2w, world, tmp_path):
    released = world.space.save_released(tmp_path / "files")
    assert checks(w2w("doctor", "--json", "--space", released, "-m", world.model))[0]
    ok, found = checks(w2w("doctor", "--json", "--space", released, "-m", DEMO / "model", code=1))
    assert not ok and found["space"]["ok"] and "parameters" in found["model and space"]["found"]


def test_the_hub_cache_is_found(w2w, tmp_path):
    snapshot = tmp_path / "cache" / "models--org--name" / "snapshots" / "0123"
    snapshot.mkdir(parents=True)
    assert checks(w2w("doctor", "--json", HF_HUB_CACHE=str(tmp_path / "cache")))[1]["hub cache"]["found"].endswith("(1 models)")
    assert checks(w2w("doctor", "--json"))[1]["hub cache"]["found"] == "none"


def test_a_share_folder_elsewhere(w2w, tmp_path):
    (tmp_path / "share").symlink_to(ROOT / "share" / "w2w")
    assert f"{tmp_path}/share/demo/model" in checks(w2w("doctor", "--json", W2W_SHARE=str(tmp_path / "share")))[1]["model"]["found"]
    done = w2w("doctor", code=1, W2W_SHARE=str(tmp_path))
    assert "the demo world is not installed" in done.stdout


def test_no_writable_folder_for_temporary_files_is_wrong(w2w):
    ok, found = checks(w2w("doctor", "--json", code=1, TMPDIR="/proc"))
    assert not ok and not found["files"]["ok"]
