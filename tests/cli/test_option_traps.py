"""Options, variables and names as people type them who know other tools: what is meant is understood, or told of in a sentence."""
import json

import pytest
import torch
from safetensors.torch import load_file, save_file

from cli.test_edit import write_labels


def notices(done):
    return [line.removeprefix("w2w: ") for line in done.stderr.splitlines()]


def refused(done):
    """The error and its hint."""
    lines = done.stderr.splitlines()
    at = next(i for i, line in enumerate(lines) if line.startswith("w2w: error: "))
    hint = lines[at + 1].removeprefix("hint: ") if at + 1 < len(lines) else ""
    return lines[at].removeprefix("w2w: error: "), hint


@pytest.fixture
def sample(w2w, world):
    return lambda *arguments, **options: w2w("sample", *world.options, *arguments, **options)


# --- general options before the command ------------------------------------------------------------------------------

@pytest.mark.parametrize("before", [["--json"], ["-t", "1", "--json"], ["-qt1", "--json"], ["--threads=1", "-q", "--json"], ["--config", "c.toml", "--json"]])
def test_general_options_before_the_command(w2w, tmp_path, before):
    (tmp_path / "c.toml").write_text("quiet = true\n")
    assert json.loads(w2w(*before, "tokens", "sample").stdout) == json.loads(w2w("tokens", "sample", "--json").stdout)
    assert json.loads(w2w(*before, "space", "-q", "info", "--components", 2).stdout)["action"] == "info"


def test_an_error_behind_options_before_the_command_names_it(w2w):
    assert json.loads(w2w("--json", "tokens", code=2).stdout)["command"] == "tokens"
    assert refused(w2w("-q", "tokns", "x", code=2)) == ("unknown command 'tokns'", "did you mean 'tokens'?")
    assert refused(w2w("-q", code=2)) == ("-q needs a command", "w2w COMMAND -q; `w2w help` lists the commands")
    assert w2w("-h", "tokens").stdout == w2w("tokens", "-h").stdout
    assert w2w("--version", "tokens").stdout == w2w("--version").stdout


# --- seeds -----------------------------------------------------------------------------------------------------------

def test_the_seed_of_the_noise_is_not_that_of_the_person(sample):
    alone = notices(sample("--seed", 7, "-o", "a"))
    assert "--seed 7 chooses the noise of the pictures; it is --identity-seed that chooses the person" in alone
    assert "--seed has no effect with --no-images" in notices(sample("-s", 7, "--no-images", "-o", "b"))
    for quiet in (["--seed", 7, "--identity-seed", 1], ["--identity-seed", 1]):
        assert "chooses the person" not in sample(*quiet, "-o", f"c{len(quiet)}").stderr


@pytest.mark.parametrize("command", ["render", "edit", "invert", "train", "interpolate"])
def test_the_seed_of_the_person_where_there_is_none(w2w, command):
    what, hint = refused(w2w(command, "x", "--identity-seed", 7, code=2))
    assert what == f"--identity-seed is an option of `w2w sample`, not of `w2w {command}`"
    assert hint == f"--identity-seed draws the person of `w2w sample`; the seed of `w2w {command}` is --seed"


def test_an_option_of_other_commands_names_them(w2w):
    assert refused(w2w("sample", "--points", 4, code=2))[0] == "--points is an option of `w2w interpolate`, not of `w2w sample`"
    assert refused(w2w("inspect", "x", "--cfg-scale", 4, code=2))[0] == "--cfg-scale is an option of other commands, not of `w2w inspect`"


@pytest.mark.parametrize("arguments", [["sample", "-n", "4"], ["render", "x", "-n", "4"], ["sample", "--negative-prompt", "2.5"],
                                       ["space", "convert", "x", "-o", "y", "-n", "3"]])
def test_a_negative_prompt_is_no_count(w2w, arguments):
    what, hint = refused(w2w(*arguments, code=2))
    assert what == f"-n, --negative-prompt expects words that pictures shall not show, found '{arguments[-1]}'"
    assert "--count of `w2w sample`" in hint and "-s 1-4" in hint


# --- variables and settings that nothing reads -----------------------------------------------------------------------

@pytest.mark.parametrize("name, told", [
    ("W2W_COUNT", ": --count is set on the command line or in config.toml"),
    ("W2W_CUONT", ": --count is set on the command line or in config.toml"),
    ("W2W_IDENTITY_SEED", ": --identity-seed is set on the command line or in config.toml"),
    ("W2W_SETPS", ": did you mean W2W_STEPS?"),
    ("W2W_XYZZYXYZZY", ""),
])
def test_a_variable_that_sets_nothing(w2w, name, told):
    done = w2w("-q", "tokens", "x", **{name: "3"})
    assert done.stderr == f"w2w: warning: the environment variable {name} sets nothing{told}\n"


def test_variables_that_others_read(w2w):
    given = {name: "1" for name in ("W2W_STEPS", "W2W_SEED", "W2W_SLURM_SHARDS", "W2W_SLURM", "W2W_DEPS", "W2W_BUILD", "W2W_JSON")}
    assert w2w("-q", "tokens", "x", **given).stderr == ""


def test_a_settings_file_names_no_other(w2w, tmp_path):
    (tmp_path / "c.toml").write_text('config = "other.toml"\n')
    assert refused(w2w("tokens", "x", "--config", "c.toml", code=2))[0] == "unknown setting 'config' (c.toml, line 1)"


# --- outputs ---------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("arguments", [["sample", "-o", "-"], ["render", "x", "--output=-"], ["space", "build", "x", "-o", "-"],
                                       ["space", "build", "x", "-o", "y", "--weights", "-"], ["train", "x", "--checkpoint", "-"]])
def test_no_file_is_written_to_stdout(w2w, tmp_path, arguments):
    what, hint = refused(w2w(*arguments, code=2))
    assert "expects a file or folder, found '-'" in what and "stdout" in hint and not list(tmp_path.iterdir())


def test_one_name_for_several_files_is_a_folder_and_says_so(sample, tmp_path):
    done = sample("--count", 2, "--no-images", "--identity-seed", 1, "-o", "all.safetensors", "-q")
    assert done.stderr == "w2w: warning: several .safetensors files are written: all.safetensors is the folder that they go to\n"
    assert sorted(p.name for p in (tmp_path / "all.safetensors").iterdir()) == ["person-1.safetensors", "person-2.safetensors"]
    assert "several" not in sample("--no-images", "--identity-seed", 1, "-o", "one.safetensors").stderr


# --- names and strengths of attributes -------------------------------------------------------------------------------

NAMES = ["Male", "Old", "Eyeglasses", "Bald", "Beard", "Black_Hair", "Blond_Hair", "Hat"]


@pytest.fixture
def edit(w2w, world, tmp_path):
    """Edits of one person in the space of the tiny world; returns the coefficients and the notices."""
    save_file({"coefficients": torch.ones(20)}, tmp_path / "ada.safetensors")
    write_labels(tmp_path / "labels.csv", NAMES)

    def run(*arguments, labels="labels.csv", **options):
        done = w2w("edit", "ada.safetensors", "--space", world.folder, "--labels", labels, "--no-images", "-o", "out.safetensors",
                   "--force", *arguments, **options)
        return done if options else (load_file(tmp_path / "out.safetensors")["coefficients"], notices(done))
    return run


@pytest.mark.parametrize("typed, meant", [
    (["--add", "Beard"], ["--add", "Beard=2"]),
    (["--add", "Beard,Bald=-1"], ["--add", "Beard=2", "--add", "Bald=-1"]),
    (["--add", "Beard=1,Bald=2", "--add", "Male=1"], ["--add", "Male=1", "--add", "Beard=1", "--add", "Bald=2"]),
    (["--add", "beard=1"], ["--add", "Beard=1"]),
    (["--add", "black-hair=1"], ["--add", "Black_Hair=1"]),
    (["--add", "glasses=1"], ["--add", "Eyeglasses=1"]),
    (["--add", "eyeglass=1"], ["--add", "Eyeglasses=1"]),
    (["--add", "Young=1"], ["--add", "Old=-1"]),
    (["--add", "Not_Old=1"], ["--add", "Old=-1"]),
    (["--add", "No_Beard=1"], ["--add", "Beard=-1"]),
    (["--add", "Wearing_Hat=1"], ["--add", "Hat=1"]),
    (["--add", "woman=1", "--without", "Young,glasses"], ["--add", "Male=-1", "--without", "Old,Eyeglasses"]),
])
def test_attributes_as_people_call_them(edit, typed, meant):
    expected, _ = edit(*meant)
    found, _ = edit(*typed)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-6)


def test_a_sweep_of_the_opposite_runs_the_other_way(edit, tmp_path):
    for folder, range_ in (("a", "Young=-2:2:2"), ("b", "Old=2:-2:2")):
        edit("--sweep", range_, "-o", folder, code=0)
    found, expected = ({path.name: path.read_bytes() for path in (tmp_path / folder).iterdir()} for folder in "ab")
    assert len(found) == 2 and found == expected


def test_another_name_is_told_of(edit):
    assert "Young is the opposite of Old here" in edit("--add", "Young=1")[1]
    assert "glasses is Eyeglasses here" in edit("--add", "glasses=1")[1]
    assert not any("here" in line for line in edit("--add", "Old=1")[1])


def test_the_very_name_wins(edit, tmp_path):
    write_labels(tmp_path / "celeba.csv", ["No_Beard", "Young", "Wearing_Hat", "5_o_Clock_Shadow", "beard", "Female", "Hair", "Gray_Hair"])
    same = [("No_Beard=1", "No_Beard=1"), ("beard=1", "beard=1"), ("Old=1", "Young=-1"), ("hat=1", "Wearing_Hat=1"), ("Hair=1", "Hair=1"),
            ("stubble=1", "5_o_Clock_Shadow=1"), ("5 o'clock shadow=1", "5_o_Clock_Shadow=1"), ("Male=1", "Female=-1"), ("grey_hair=1", "Gray_Hair=1")]
    for typed, meant in same:
        torch.testing.assert_close(edit("--add", typed, labels="celeba.csv")[0], edit("--add", meant, labels="celeba.csv")[0], rtol=0, atol=1e-6)


@pytest.mark.parametrize("arguments, what, hint", [
    (["--add", "hair=1"], "attribute 'hair' may mean Black_Hair, Blond_Hair (labels.csv)", "the attributes are "),
    (["--add", "Beerd=1"], "unknown attribute 'Beerd' (labels.csv)", "did you mean 'Beard'? the attributes are "),
    (["--add", "Smiling"], "unknown attribute 'Smiling' (labels.csv)", "the attributes are "),
    (["--add", "ea=1"], "unknown attribute 'ea'", "the attributes are "),
    (["--add", "Male=1", "--without", "hair"], "attribute 'hair' may mean", "the attributes are "),
    (["--add", "Beard=1", "--add", "No_Beard"], "attribute 'Beard' is added twice", ""),
    (["--add", "Young=1", "--without", "Old"], "attribute 'Old' is both added and taken out", ""),
    (["--add", "Beard=1,5"], "--add expects ATTRIBUTE=STRENGTH, found 'Beard=1,5'", "write decimals with a point"),
])
def test_names_that_are_not_clear(edit, arguments, what, hint):
    found, found_hint = refused(edit(*arguments, code=2))
    assert what in found and found_hint.startswith(hint)
    assert "the attributes are" not in hint or found_hint.endswith(", ".join(NAMES))


def test_directions_are_fitted_by_the_same_names(w2w, world, tmp_path):
    write_labels(tmp_path / "labels.csv", NAMES)
    fit = lambda *names: w2w("direction", "fit", "labels.csv", "--space", world.folder, "--holdout", 0, "--force", "--attributes", *names)
    fit("glasses,BALD", "--without", "wearing hat")
    found = load_file(tmp_path / "directions.safetensors")
    fit("Eyeglasses,Bald", "--without", "Hat")
    expected = load_file(tmp_path / "directions.safetensors")
    assert all(torch.equal(found[name], expected[name]) for name in expected)


# --- far from what is usual ------------------------------------------------------------------------------------------

def test_strengths_beyond_the_training_models(w2w, edit, world):
    largest = {a["attribute"]: (a["smallest_strength"], a["largest_strength"]) for a in json.loads(
        w2w("direction", "list", "--space", world.folder, "--labels", "labels.csv", "--json").stdout)["attributes"]}["Beard"]
    told = f"Beard=40 is far beyond the training models, which lie between {largest[0]:.2g} and {largest[1]:.2g}"
    assert told in edit("--add", "Beard=40")[1]
    usual = 1.9 * max(map(abs, largest))
    assert not any("far beyond" in line for line in edit("--add", f"Beard={usual}")[1])


def test_spread_size_and_trigger(sample):
    far = notices(sample("--identity-seed", 1, "-s", 1, "--spread", 6, "-W", 128, "-p", "a man on the beach", "-p", "photo of SKS, smiling", "-o", "a"))
    assert "spread 6: these people lie 6 times as far from the mean as the training models do; about 1 is usual" in far
    assert "pictures of 128x64 are far from the 64x64 that the model was trained at: expect distorted ones" in far
    assert 'the prompt "a man on the beach" does not name the person: expected "sks person" in it' in far
    assert sum("does not name" in line for line in far) == 1
    usual = sample("--identity-seed", 1, "-s", 1, "--spread", 1.5, "-W", 96, "-H", 48, "-o", "b").stderr
    assert not any(word in usual for word in ("spread", "far from", "does not name"))


def test_the_words_that_mean_a_person_are_the_persons_own(w2w, world, tmp_path):
    save_file({"coefficients": torch.ones(20)}, tmp_path / "ada.safetensors", {"w2w.trigger": "a photo of xyz woman"})
    render = lambda prompt: w2w("render", "ada.safetensors", *world.options, "-s", 1, "-p", prompt, "--force").stderr
    assert 'the prompt "sks person" does not name the person: expected "a photo of xyz woman" in it' in render("sks person")
    assert "does not name" not in render("xyz, at night")


# --- formats by the programs that read them --------------------------------------------------------------------------

@pytest.mark.parametrize("name", ["comfyui", "a1111"])
def test_formats_by_the_programs_that_read_them(w2w, world, tmp_path, name):
    save_file({"coefficients": torch.ones(20)}, tmp_path / "ada.safetensors")
    export = lambda format: w2w("export", "ada.safetensors", *world.options[:4], "--format", format, "-o", f"{format}.safetensors", "--json")
    assert json.loads(export(name).stdout)["outputs"][0]["format"] == "kohya"
    export("kohya")
    found, expected = (load_file(tmp_path / f"{format}.safetensors") for format in (name, "kohya"))
    assert found.keys() == expected.keys() and all(torch.equal(found[key], expected[key]) for key in expected)
    w2w("sample", *world.options, "--no-images", "--identity-seed", 1, "--lora", name)
    assert any(key.startswith("lora_unet_") for key in load_file(tmp_path / "person-1_lora.safetensors"))
    (tmp_path / "a.png").touch()
    assert w2w("train", "a.png", "--format", name, "--list").stdout == "a\tmissing\t1\ta.safetensors\n"
    assert f"|{name}" in w2w("help", "export").stdout.replace("\n", "").replace(" ", "")
