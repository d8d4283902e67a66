"""Models in a Hugging Face cache, whole, in part and without references; places with ~ and variables, as huggingface_hub reads them."""
import json
import os
import shutil
import subprocess
import sys

import pytest

from conftest import ROOT

DEMO, ID = ROOT / "share/w2w/demo/model", "someone/a-model"
COMMITS = ["0123456789abcdef0123456789abcdef01234567", "fedcba9876543210fedcba9876543210fedcba98"]


@pytest.fixture
def cache(tmp_path):
    """The demo world's model as huggingface_hub keeps it: snapshots of links to blobs."""
    repository = tmp_path / "hub/models--someone--a-model"
    (repository / "blobs").mkdir(parents=True)

    def snapshot(commit):
        for source in DEMO.rglob("*"):
            if not source.is_file():
                continue
            blob = repository / "blobs" / str(source.relative_to(DEMO)).replace("/", "_")
            shutil.copy(source, blob)
            link = repository / "snapshots" / commit / source.relative_to(DEMO)
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(os.path.relpath(blob, link.parent))
        return repository / "snapshots" / commit
    snapshot.repository = repository
    return snapshot


@pytest.fixture
def found(w2w, tmp_path):
    """found(OPTIONS...): where doctor finds the model, or what it says instead."""
    def run(model=ID, code=0, **environment):
        done = w2w("doctor", "--json", "-m", model, code=code, **({"HF_HUB_CACHE": str(tmp_path / "hub")} | environment))
        return {check["name"]: check["found"] for check in json.loads(done.stdout)["checks"]}["model"]
    return run


def test_without_references(cache, found):
    from huggingface_hub import try_to_load_from_cache
    one = cache(COMMITS[0])
    assert found().startswith(f"{one} (")
    two = cache(COMMITS[1])
    said = found(code=1)
    assert "is in the cache in 2 revisions, none of them called main" in said and all(commit in said for commit in COMMITS)
    assert found(f"{ID}@{COMMITS[1]}").startswith(f"{two} (")
    (cache.repository / "refs").mkdir()
    (cache.repository / "refs/main").write_text(COMMITS[1])
    assert found().startswith(f"{two} (")
    assert try_to_load_from_cache(ID, "model_index.json", cache_dir=cache.repository.parent) == str(two / "model_index.json")


WEIGHTS = "unet/diffusion_pytorch_model.safetensors"


@pytest.mark.parametrize("kept, missing", [
    (["model_index.json"], ["unet/config.json", WEIGHTS, "vae/config.json", "text_encoder/config.json", "text_encoder/model.safetensors"]),
    (None, [WEIGHTS]), ("blob", [WEIGHTS + " (a broken link)"]), ("index", ["model_index.json"])])
def test_what_was_not_fetched_is_named(w2w, cache, tmp_path, kept, missing):
    folder = cache(COMMITS[0])
    if isinstance(kept, list):
        for path in folder.rglob("*"):
            if path.is_symlink() and str(path.relative_to(folder)) not in kept:
                path.unlink()
    elif kept == "blob":
        (folder / WEIGHTS).resolve().unlink()
    else:
        (folder / ("model_index.json" if kept == "index" else WEIGHTS)).unlink()
    said = w2w("sample", "-m", ID, "-s", 1, HF_HUB_CACHE=str(tmp_path / "hub"), code=4).stderr
    assert f"model {ID} is only partly downloaded" in said and f"hint: download the rest with: hf download {ID}" in said
    assert all(name in said.split("missing: ")[1] for name in missing), said


@pytest.mark.parametrize("variables", [
    {"HF_HOME": "~/elsewhere"}, {"HF_HOME": "$PLACE/x"}, {"HF_HOME": "${PLACE}/x$UNKNOWN"}, {"HF_HUB_CACHE": "~/c/$NAME"}, {"HF_HUB_CACHE": "~root/${"},
    {"HUGGINGFACE_HUB_CACHE": "~/old"}, {"XDG_CACHE_HOME": "~/$NAME"}, {"HF_HUB_CACHE": "~"}, {}])
def test_places_are_those_of_huggingface_hub(w2w, tmp_path, variables):
    environment = w2w.environment(PLACE=str(tmp_path / "place"), NAME="name", **variables)
    theirs = subprocess.run([sys.executable, "-c", "from huggingface_hub.constants import HF_HUB_CACHE; print(HF_HUB_CACHE)"], env=environment,
                            capture_output=True, text=True, check=True).stdout.strip()
    said = w2w("sample", "-m", ID, "-s", 1, code=4, PLACE=str(tmp_path / "place"), NAME="name", **variables).stderr
    assert f"looked in {theirs}/models--someone--a-model" in said, said


def test_paths_in_variables_and_settings(w2w, tmp_path):
    shutil.copytree(DEMO, tmp_path / "models/mine")
    for place in ("~/models/mine", "$HOME/models/mine", "${HOME}/models/mine"):
        done = w2w("doctor", "--json", W2W_MODEL=place)
        assert f'{tmp_path}/models/mine (' in done.stdout
        (tmp_path / "config.toml").write_text(f'model = "{place}"\n')
        assert f'{tmp_path}/models/mine (' in w2w("doctor", "--json", "--config", "config.toml").stdout
    assert "(~/models/none)" in w2w("sample", "-m", "~/models/none", code=4).stderr  # a shell would have expanded it
