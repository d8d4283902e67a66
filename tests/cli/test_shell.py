"""What every command shares: exit codes, error texts with nearest names, precedence of settings, help, completion, signals."""
import fcntl
import json
import os
import pty
import re
import select
import shutil
import signal
import subprocess
import termios
import time
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from conftest import BUILD, ROOT, until


def listed(heading, *arguments):
    """The names under a heading of what the program prints, without which nothing here is tested."""
    text = subprocess.run([BUILD / "w2w", *arguments], capture_output=True, text=True).stdout if (BUILD / "w2w").exists() else ""
    return re.findall(r"^  (\w+) ", text.partition(f"\n{heading}\n")[2].partition("\n\n")[0], re.M)


COMMANDS = listed("Commands")
ACTIONS = [f"{command} {action}" for command in COMMANDS for action in listed("Actions", "help", command)]
SHELLS = ["bash", "zsh", "fish"]


def error(done):
    """The error and its hint; every failure has this form, and nothing on stdout."""
    assert done.stdout == ""
    lines = done.stderr.splitlines()
    assert lines[0].startswith("w2w: error: "), done.stderr
    lines = [lines[0], *(line for line in lines[1:] if not line.startswith("    "))]  # that of a file, and a caret below it
    assert len(lines) == 1 or lines[1].startswith("hint: "), done.stderr
    return lines[0].removeprefix("w2w: error: "), lines[1].removeprefix("hint: ") if len(lines) > 1 else ""


@pytest.mark.parametrize("arguments, what, hint", [
    (["tokns", "x"], "unknown command 'tokns'", "did you mean 'tokens'?"),
    (["zzzzzzzz"], "unknown command 'zzzzzzzz'", "one of: sample, render"),
    (["serve", "me.png"], "unknown command 'serve'", "one of: sample, render"),
    (["help", "tokns"], "unknown command 'tokns'", "did you mean 'tokens'?"),
    (["help", "space", "bild"], "unknown action 'bild' of `w2w space`", "did you mean 'build'?"),
    (["help", "tokens", "doctor"], "expected one command, found 'tokens doctor'", ""),
    (["help", "space", "build", "info"], "expected one command, found 'space build info'", ""),
    (["space"], "space expects an action: build, convert, info or verify", "see `w2w help space`"),
    (["space", "-q", "--dtype", "bf16"], "space expects an action", "see `w2w help space`"),
    (["space", "bild", "loras"], "unknown action 'bild' of `w2w space`", "did you mean 'build'?"),
    (["space", "build", "loras", "--projectoins", "3"], "unknown option '--projectoins' of `w2w space build`", "did you mean '--projections'?"),
    (["space", "info", "--projections=3"], "--projections is an option of `w2w space build`, not of `w2w space info`", "see `w2w help space info`"),
    (["space", "verify", "-oout"], "-o is an option of `w2w space build` and `w2w space convert`, not of `w2w space verify`", ""),
    (["space", "build", "loras", "--seed"], "--seed needs a value", "see `w2w help space build`"),
    (["direction", "list", "mine.csv"], "unexpected argument 'mine.csv' of `w2w direction list`", "see `w2w help direction list`"),
    (["-q", "tokens"], "no prompt given", "w2w tokens"),
    (["--versoin"], "unknown option '--versoin' before the command", "did you mean '--version'?"),
    (["tokens", "--peices", "x"], "unknown option '--peices' of `w2w tokens`", "did you mean '--pieces'?"),
    (["tokens", "--peices=3", "x"], "unknown option '--peices'", "did you mean '--pieces'?"),
    (["tokens", "-Z", "x"], "unknown option '-Z'", "see `w2w help tokens`"),
    (["tokens", "x", "--file"], "--file needs a value", "see `w2w help tokens`"),
    (["tokens", "x", "--threads", "-3"], "--threads expects a whole number from 0 to 4096, found '-3'", ""),
    (["tokens", "x", "--threads", "2.5"], "--threads expects a whole number", ""),
    (["doctor", "--dtype", "bf61"], "unknown value 'bf61' of --dtype; expected auto, f32, bf16, f16", "did you mean"),
    (["doctor", "--device", "cpuu"], "unknown device 'cpuu'", "did you mean 'cpu'?"),
    (["doctor", "--device", "cuda:one"], "unknown device 'cuda:one'; expected auto, cpu, cuda or cuda:N", ""),
    (["doctor", "extra"], "unexpected argument 'extra' of `w2w doctor`", "see `w2w help doctor`"),
    (["completion", "bsh"], "unknown value 'bsh' of the shell", "did you mean 'bash'?"),
    (["completion"], "completion takes one shell, found 0", "one of: bash, zsh, fish"),
    (["tokens"], "no prompt given", "w2w tokens"),
    (["inspect"], "no file given", "w2w inspect FILE"),
    (["render", "x.safetensors", "--sampler", "eulr"], "eulr", "did you mean 'euler'?"),
    (["render", "x.safetensors", "--steps", "0"], "--steps expects a whole number from 1 to 10000, found '0'", ""),
    (["render", "x.safetensors", "--cfg-scale", "nan"], "--cfg-scale expects a number", ""),
    (["render", "x.safetensors", "--guidance-scale", "lots"], "--cfg-scale expects a number", ""),
    (["sample", "--rng", "gpu"], "unknown value 'gpu' of --rng", ""),
    (["sample", "--seed", "5-2"], "--seed expects ranges from low to high, found '5-2'", "1,2,5-8"),
])
def test_usage_errors_name_the_nearest(w2w, arguments, what, hint):
    found, found_hint = error(w2w(*arguments, code=2))
    assert what in found
    assert hint in found_hint


@pytest.mark.skipif(bool(shutil.which("nvidia-smi")), reason="there is an NVIDIA GPU; tests/gpu looks at it")
def test_a_missing_cuda_device_is_a_failure(w2w):
    assert "no CUDA device can be used" in error(w2w("sample", "--device", "cuda:0", code=1))[0]
    done = w2w("doctor", "--device", "cuda", code=1)
    assert "WRONG devices" in done.stdout and "ok    arithmetic" in done.stdout


@pytest.mark.parametrize("arguments", [["tokens", "-m", "/no/such", "x"], ["tokens", "-m", "org/name", "x"],
                                       ["tokens", "--file", "none.txt"], ["inspect", "none"],
                                       ["tokens", "--config", "none.toml", "x"]])
def test_what_is_not_there_exits_4(w2w, arguments):
    error(w2w(*arguments, code=4))


# --- results as JSON ------------------------------------------------------------------------------------------------

def told(done):
    """The one object on stdout, whose error is that of stderr too."""
    result = json.loads(done.stdout)
    lines = done.stderr.splitlines()
    assert f"w2w: error: {result['error']['message']}" in lines
    assert not result["error"]["hint"] or f"hint: {result['error']['hint']}" in lines
    assert set(result["error"]) == {"kind", "message", "hint"}
    return result


@pytest.mark.parametrize("arguments, code, kind, command", [
    (["inspect", "none"], 4, "not_found", "inspect"),
    (["inspect", "bad.safetensors"], 3, "malformed", "inspect"),
    (["tokens", "--peices", "x"], 2, "usage", "tokens"),
    (["tokens"], 2, "usage", "tokens"),
    (["tokns", "x"], 2, "usage", "tokns"),
    (["tokens", "x", "--config", "none.toml"], 4, "not_found", "tokens"),
    (["sample", "--steps", "0"], 2, "usage", "sample"),
    (["space", "verify", "none"], 4, "not_found", "space"),
])
def test_json_tells_of_the_error(w2w, tmp_path, arguments, code, kind, command):
    (tmp_path / "bad.safetensors").write_bytes(b"x" * 20)
    result = told(w2w(*arguments, "--json", code=code))
    assert result["error"]["kind"] == kind and result["command"] == command and result["outputs"] == []
    lines = w2w(*arguments, "--json-lines", code=code).stdout.splitlines()
    assert json.loads(lines[-1]) == {"error": result["error"]}
    if arguments[0] == "inspect":
        assert told(w2w(*arguments, code=code, W2W_JSON="1"))["error"] == result["error"]


def test_json_tells_what_was_written_before_the_error(w2w, tmp_path):
    """The second picture's coefficients give values that are not finite: the first one is there and told of."""
    w2w("sample", "--count", 2, "--identity-seed", 1, "--no-images", "-o", "people")
    far = {"coefficients": load_file(tmp_path / "people/person-2.safetensors")["coefficients"] * 1e30}
    save_file(far, tmp_path / "people/person-2.safetensors")
    people = [f"people/person-{i}.safetensors" for i in (1, 2)]
    result = told(w2w("render", *people, "--steps", 1, "-s", 1, "-o", "out", "--json", code=1))
    assert [(o["kind"], tmp_path / o["path"]) for o in result["outputs"]] == [("picture", p) for p in (tmp_path / "out").glob("*.png")]
    assert len(result["outputs"]) == 1 and result["error"]["kind"] == "failure" and "not finite" in result["error"]["message"]
    assert "error" not in json.loads(w2w("render", people[0], "--steps", 1, "-s", 1, "-o", "out2", "--json").stdout)


def test_json_of_a_run_that_is_interrupted(w2w, tmp_path):
    process = w2w.start("sample", "--count", 200, "--identity-seed", 1, "--steps", 1, "-s", 1, "-o", "out", "--json")
    until(lambda: len(list(tmp_path.glob("out/*.png"))) >= 2, process)
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 130
    result = json.loads(out)
    assert result["error"]["kind"] == "interrupted"
    paths = [o["path"] for o in result["outputs"]]
    assert len(paths) >= 3 and {tmp_path / p for p in paths} == {p for p in tmp_path.glob("out/*") if not p.name.startswith(".")}


def test_json_lines_stream_progress_and_results(w2w):
    done = w2w("sample", "--count", 2, "--identity-seed", 1, "--steps", 2, "-s", 1, "-o", "out", "--json-lines")
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert all(len(line) == 1 for line in lines)
    kinds = [next(iter(line)) for line in lines]
    assert kinds[-1] == "result" and kinds.count("output") == 4 and "progress" in kinds
    steps = [line["progress"] for line in lines if "progress" in line]
    assert steps[-1]["step"] == steps[-1]["total"] and steps[-1]["stage"] == "picture 2 of 2"
    whole = json.loads(w2w("sample", "--count", 2, "--identity-seed", 1, "--steps", 2, "-s", 1, "-o", "out", "--force", "--json").stdout)
    assert [line["output"] for line in lines if "output" in line] == whole["outputs"]


# --- settings -------------------------------------------------------------------------------------------------------

@pytest.fixture
def model_of(w2w, tmp_path):
    """model_of(...): which --model wins, told by the error about a model that does not exist."""
    def get(*arguments, config=None, home_config=None, sections="", **environment):
        if home_config:
            folder = tmp_path / ".config" / "w2w"
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "config.toml").write_text(f'model = "/none/{home_config}"\n{sections}')
        if config:
            (tmp_path / "given.toml").write_text(f'model = "/none/{config}"\n')
            arguments = [*arguments, "--config", "given.toml"]
        message, _ = error(w2w("tokens", "x", *arguments, code=4, **environment))
        return re.search(r"no such model \(/none/(\w+)\)", message)[1]
    return get


def test_option_beats_environment_beats_config_beats_home(model_of):
    assert model_of("-m", "/none/option", config="config", home_config="home", W2W_MODEL="/none/environment") == "option"
    assert model_of(config="config", home_config="home", W2W_MODEL="/none/environment") == "environment"
    assert model_of(config="config", home_config="home", W2W_MODEL="") == "config"
    assert model_of(home_config="home") == "home"
    assert model_of(home_config="home", sections='[tokens]\nmodel = "/none/section"\n[inspect]\n') == "section"
    assert model_of(home_config="home", sections='[doctor]\nmodel = "/none/section"\n') == "home"
    assert model_of(home_config="home", W2W_MODEL="/none/environment") == "environment"


def test_settings_that_a_given_config_leaves_open_come_from_home(model_of):
    assert model_of(config="config", home_config="home", sections='[tokens]\nmodel = "/none/section"\n') == "config"


def test_what_home_sets_counts_beside_a_given_config(w2w, tmp_path):
    (tmp_path / ".config/w2w").mkdir(parents=True)
    (tmp_path / ".config/w2w/config.toml").write_text("json = true\nquiet = false\n")
    (tmp_path / "given.toml").write_text("quiet = true\n")
    assert json.loads(w2w("tokens", "x", "--config", "given.toml").stdout)["command"] == "tokens"


def test_errors_move_no_cursor(w2w, tmp_path):
    (tmp_path / "odd.toml").write_bytes(b"\x1b[31mred\x07 = 1\n")
    done = w2w("tokens", "x", "--config", "odd.toml", code=3)
    assert "\x1b" not in done.stderr and "\x07" not in done.stderr


def test_xdg_config_home_and_w2w_config(w2w, tmp_path, model_of):
    (tmp_path / "xdg" / "w2w").mkdir(parents=True)
    (tmp_path / "xdg" / "w2w" / "config.toml").write_text('model = "/none/xdg"')
    assert model_of(home_config="home", XDG_CONFIG_HOME=str(tmp_path / "xdg")) == "xdg"
    (tmp_path / "other.toml").write_text('model = "/none/named"')
    assert model_of(home_config="home", W2W_CONFIG="other.toml") == "named"


def test_the_last_of_several_wins(model_of):
    assert model_of("-m", "/none/first", "--model=/none/second") == "second"


@pytest.mark.parametrize("text, code, what, hint", [
    ("modle = \"x\"", 2, "unknown setting 'modle' (bad.toml, line 1)", "did you mean 'model'?"),
    ("[tokns]\nmodel = \"x\"", 2, "unknown section [tokns] (bad.toml, line 2)", "did you mean 'tokens'?"),
    ("[space.bild]\nseed = 3", 2, "unknown section [space.bild] (bad.toml, line 2)", "did you mean 'space.build'?"),
    ("[space.info]\nseed = 3", 2, "unknown setting 'seed' (bad.toml, line 2)", ""),
    ("[tokens]\nsteps = 3", 2, "unknown setting 'steps' (bad.toml, line 2)", ""),
    ("threads = \"many\"", 2, "--threads expects a whole number from 0 to 4096, found 'many' (bad.toml, line 1)", ""),
    ("model = [\"a\", \"b\"]", 2, "--model expects one value, found 2 (bad.toml, line 1)", ""),
    ("json = \"maybe\"", 2, "--json expects true or false, found 'maybe' (bad.toml, line 1)", ""),
    ("since = 2024-02-29", 3, "a date or time: expected text, a number, true or false (bad.toml, line 1, column 9)", "text needs quotes"),
    ("json = true\njson = true", 3, "cannot redefine existing boolean 'json' (bad.toml, line 2, column 8)", ""),
    ("threads = 2\nmodel", 3, "encountered end-of-file (bad.toml, line 2, column 6)", "a setting is written like"),
    ("model = sd15", 3, "could not determine value type (bad.toml, line 1, column 9)", "(text needs quotes)"),
])
def test_a_bad_configuration_names_its_line(w2w, tmp_path, text, code, what, hint):
    (tmp_path / "bad.toml").write_text(text)
    found, found_hint = error(w2w("tokens", "x", "--config", "bad.toml", code=code))
    assert what in found
    assert hint in found_hint


def test_a_bad_configuration_shows_its_line(w2w, tmp_path):
    (tmp_path / "bad.toml").write_bytes(b"\xef\xbb\xbfthreads = 2\r\nmodel = sd15 # \x1b[31m\r\n")
    assert w2w("tokens", "x", "--config", "bad.toml", code=3).stderr.splitlines()[1:3] == ["    model = sd15 # ?[31m", "            ^"]


def test_settings_of_other_commands_are_no_errors(w2w, tmp_path):
    (tmp_path / "c.toml").write_text('steps = 3\ncfg_scale = 2\n[sample]\ncount = 3\n[space]\nnames = "x"\n[space.build]\nseed = 1\n')
    w2w("tokens", "x", "--config", "c.toml")


def test_settings_of_an_action_come_before_those_of_its_command(w2w, tmp_path):
    def components(text):
        (tmp_path / "c.toml").write_text(text)
        return len(json.loads(w2w("space", "info", "--config", "c.toml", "--json").stdout)["normality"])
    assert components("") == 10
    assert components("components = 3\n[space]\nnames = 'none.txt'\ncanonical = true\noutput = 'x'") == 3
    assert components("components = 3\n[space]\ncomponents = 4\n[space.build]\ncomponents = 6\n[direction.list]\ncomponents = 7") == 4
    assert components("components = 3\n[space.info]\ncomponents = 5\n[space]\ncomponents = 4") == 5


def test_a_bad_environment_variable_is_named(w2w):
    found, _ = error(w2w("tokens", "x", code=2, W2W_THREADS="many"))
    assert found == "--threads expects a whole number from 0 to 4096, found 'many' (environment variable W2W_THREADS)"
    assert "environment variable W2W_JSON" in error(w2w("tokens", "x", code=2, W2W_JSON="maybe"))[0]


def test_switches_from_environment_and_config(w2w, tmp_path):
    assert json.loads(w2w("tokens", "x", W2W_JSON="1").stdout)["command"] == "tokens"
    (tmp_path / "c.toml").write_text("json = true\nquiet = true")
    done = w2w("tokens", "x", W2W_CONFIG="c.toml")
    assert done.stderr == "" and json.loads(done.stdout)
    assert not w2w("tokens", "x", W2W_CONFIG="c.toml", W2W_JSON="off").stdout.startswith("{")


# --- help, version, completion --------------------------------------------------------------------------------------

def test_alone_it_shows_what_there_is(w2w):
    text = w2w().stdout
    assert w2w("--help").stdout == text == w2w("help").stdout
    assert {"sample", "edit", "train", "space", "direction", "help"} < set(COMMANDS) and len(COMMANDS) >= 16
    assert max(map(len, text.splitlines())) <= 80
    assert text.count("\n  w2w ") == 4


@pytest.mark.parametrize("command", COMMANDS + ACTIONS)
def test_help_leads_with_examples(w2w, command):
    words = command.split()
    text = w2w(*words, "--help").stdout
    assert w2w(*words, "-h").stdout == text == w2w("help", *words).stdout
    assert 0 < text.index("\nExamples\n  ") < text.index("\nUsage\n  ") < text.index("-h, --help")
    assert text.startswith(f"w2w {command}: ") and f"  w2w {command}" in text
    assert max(map(len, text.splitlines())) <= 80
    assert "\x1b" not in text


def test_help_of_an_action_holds_its_own_options(w2w):
    assert ACTIONS == ["direction fit", "direction list", "space build", "space convert", "space info", "space verify"]
    space = w2w("space", "--help").stdout
    assert all(f"\n  {action.split()[1]} " in space for action in ACTIONS[2:]) and "--components" not in space
    own = {action: set(re.findall(r"^ +(?:-\w, )?(--[\w-]+)", w2w("help", *action.split()).stdout, re.M)) for action in ACTIONS}
    assert "--canonical" in own["space build"] and not own["space convert"] & {"--canonical", "--names"}
    assert "--output" in own["space convert"] and not own["space info"] & {"--output", "--force", "--prompt"}
    assert "--method" in own["direction fit"] and not own["direction list"] & {"--method", "--seed", "--output"}
    assert "--directions" in own["direction list"] and "--directions" not in own["direction fit"]
    assert all({"--model", "--space", "--device", "--dtype", "--threads", "--json", "--quiet", "--config"} <= options for options in own.values())


def test_options_may_stand_before_the_action(w2w):
    info = w2w("space", "info", "--components", 3, "--json").stdout
    assert json.loads(info)["command"] == "space" and json.loads(info)["action"] == "info"
    assert w2w("space", "--components", 3, "--json", "info").stdout == info == w2w("space", "--components=3", "info", "--json").stdout
    assert w2w("space", "-qt1", "--components", 3, "info", "--json").stdout == info == w2w("space", "-qt", 1, "--json", "info", "--components", 3).stdout
    done = w2w("direction", "--labels", "fit", "list", "--json", code=4)  # a table of that name
    assert json.loads(done.stdout)["action"] == "list" and "(fit)" in done.stderr
    done = w2w("space", "info", "build", "--json", code=4)  # a space of that name
    assert json.loads(done.stdout)["action"] == "info" and "(build)" in done.stderr


@pytest.mark.parametrize("command", ["sample", "render"])
def test_shared_options_have_the_names_of_other_tools(w2w, command):
    text = w2w("help", command).stdout
    for option in ["-m, --model", "--space", "--device", "--dtype", "-p, --prompt", "-n, --negative-prompt", "--steps",
                   "--num-inference-steps", "--cfg-scale", "--guidance-scale", "-W,", "-H,", "--sampler",
                   "--sampling-method", "--scheduler", "--clip-skip", "-s, --seed", "--rng", "-o, --output", "--force",
                   "--json", "-q,", "-v,", "--no-color", "-t, --threads", "--config"]:
        assert option in text


def test_version(w2w):
    text = w2w("--version").stdout
    assert re.match(r"w2w \d+\.\d+\.\d+\nLibTorch \d+\.\d+\.\d+\ndevices: cpu \(", text)


@pytest.mark.parametrize("shell", SHELLS)
def test_completion_knows_commands_options_and_values(w2w, shell):
    script = w2w("completion", shell).stdout
    for word in [*" ".join(COMMANDS + ACTIONS).split(), "cfg-scale", "bf16", "dpmpp_2m"]:
        assert word in script


def complete(w2w, *words, program="w2w", begin=""):
    """What bash offers after these words; `begin` runs before the script."""
    script = w2w("completion", "bash").stdout
    subprocess.run(["bash", "-n"], input=script, text=True, check=True)
    done = subprocess.run(
        ["bash", "--norc", "-c", f'complete() {{ :; }}\n{begin}\n{script}\nCOMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _w2w\n'
         'printf "%s\\n" "${COMPREPLY[@]}"', "bash", program, *map(str, words)], capture_output=True, text=True, check=True, cwd=w2w.home, env=w2w.environment())
    return done.stdout.split()


def test_bash_completes(w2w, tmp_path):
    (tmp_path / "person.safetensors").touch()
    assert complete(w2w, "to") == ["tokens"]
    assert complete(w2w, "tokens", "--pie") == ["--pieces"]
    assert complete(w2w, "doctor", "--dtype", "") == ["auto", "f32", "bf16", "f16"]
    assert complete(w2w, "help", "ins") == ["inspect"]
    assert complete(w2w, "inspect", "pers") == ["person.safetensors"]
    assert complete(w2w, "sample", "--sampler", "dpm") == ["dpmpp_2m"]
    assert complete(w2w, "space", "") == ["build", "convert", "info", "verify"] == complete(w2w, "help", "space", "")
    assert complete(w2w, "space", "build", "--me") == ["--method"] and complete(w2w, "space", "info", "--me") == []
    assert complete(w2w, "space", "-q", "build", "--method", "ex") == ["exact"]
    assert complete(w2w, "space", "info", "pers") == ["person.safetensors"] == complete(w2w, "space", "build", "--names", "pers")
    assert complete(w2w, "direction", "fit", "--method", "lo") == ["logistic"]


ZSH = """
compdef() { print "compdef $@" }
_describe() { print $2 ${(P)2} }
words=(w2w sa) CURRENT=2
"""


@pytest.mark.skipif(not shutil.which("zsh"), reason="zsh is not installed")
def test_zsh_completes_from_its_folder_of_functions(w2w, tmp_path):
    """Also at the first Tab, when the file has just been loaded."""
    (tmp_path / "_w2w").write_text(w2w("completion", "zsh").stdout)
    zsh = lambda script: subprocess.run(["zsh", "-f", "-c", ZSH + script], capture_output=True, text=True, check=True, cwd=tmp_path).stdout.split("\n")
    loaded = zsh("fpath=($PWD $fpath); autoload -Uz _w2w; _w2w; _w2w")
    assert loaded[0].startswith("names sample:") and loaded[1:] == [loaded[0], ""]
    assert zsh("source ./_w2w; _w2w") == ["compdef _w2w w2w", loaded[0], ""]


def test_bash_completes_values_behind_an_equals_sign(w2w, tmp_path):
    """Three words by bash's own COMP_WORDBREAKS, one where that lacks the sign."""
    (tmp_path / "person.safetensors").touch()
    assert complete(w2w, "sample", "--sampler", "=", "dpm") == ["dpmpp_2m"] == complete(w2w, "sample", "--sampler", "dpm")
    assert complete(w2w, "doctor", "--dtype", "=") == ["auto", "f32", "bf16", "f16"]
    assert complete(w2w, "doctor", "--dtype=b") == ["--dtype=bf16"]
    assert complete(w2w, "space", "build", "--method", "=", "ex") == ["exact"]
    assert complete(w2w, "sample", "--config=pers") == ["--config=person.safetensors"] and complete(w2w, "sample", "--none=pers") == []


@pytest.fixture
def strange_space(w2w, tmp_path):
    """A space whose attributes have names that a shell could misread."""
    shutil.copytree(ROOT / "share/w2w/demo/space", tmp_path / "strange")
    (tmp_path / "strange/directions.safetensors").unlink()
    people = [line.split(",")[0] for line in (tmp_path / "strange/labels.csv").read_text().splitlines()[1:]]
    rows = [f"{name},{i % 2},{i // 2 % 2},{i // 4 % 2}" for i, name in enumerate(people)]
    (tmp_path / "strange/labels.csv").write_text("name,$(touch hacked),Two Words,`touch hacked`\n" + "\n".join(rows) + "\n")
    return tmp_path / "strange"


def test_bash_completes_attributes(w2w, tmp_path, strange_space):
    """Those of the space that the line names, told by the program itself; each with what follows it."""
    attributes = lambda *words: complete(w2w, *words, program=w2w.path)
    assert attributes("edit", "x", "--add", "Gray") == ["Gray_Hair="] == attributes("edit", "--sweep", "=", "Gray")
    assert attributes("edit", "--add=Eyeg") == ["--add=Eyeglasses="]
    assert attributes("edit", "--without", "Male,Eyeg") == ["Male,Eyeglasses,"] and attributes("edit", "--without", "Eyeg") == ["Eyeglasses,"]
    assert attributes("edit", "--space", "none", "--add", "Eyeg") == []
    done = " ".join(attributes("edit", "--space", strange_space, "--add", ""))
    assert done == r"\$\(touch\ hacked\)= Two\ Words= \`touch\ hacked\`=" and not list(tmp_path.rglob("hacked"))
    assert attributes("edit", "--space", "=", "strange", "--add", "Two") == attributes("edit", "--space=strange", "--add", "Two") == ["Two\\", "Words="]


def typed(w2w, shell, text, until_seen, setup, deadline=30):
    """What a terminal shows after `text`, whose last key is the tabulator, in a real shell."""
    process, main = pty.fork()
    if process == 0:
        os.chdir(w2w.home)
        os.execvpe(shell[0], shell, w2w.environment(TERM="dumb", PS1="$ ", PATH=f"{BUILD}:{os.environ['PATH']}"))
    try:
        shown, end = b"", time.monotonic() + deadline
        os.write(main, setup.encode() + b"\n")
        sent = False
        while time.monotonic() < end and until_seen not in shown:
            if not sent and b"ready" in shown.replace(b"re''ady", b""):
                os.write(main, text.encode())
                shown, sent = b"", True
            if select.select([main], [], [], 0.1)[0]:
                shown += os.read(main, 65536)
        return shown
    finally:
        os.kill(process, signal.SIGKILL)
        os.waitpid(process, 0)
        os.close(main)


@pytest.mark.parametrize("line, seen", [("w2w edit x --add Gray", "--add Gray_Hair="), ("w2w sample --sampler=dpm", "--sampler=dpmpp_2m"),
                                        ("w2w space ver", "space verify"), ("w2w edit --without Male,Eyeg", "Male,Eyeglasses,")])
@pytest.mark.parametrize("shell", SHELLS)
def test_a_real_shell_completes(w2w, shell, line, seen):
    if not shutil.which(shell):
        pytest.skip(f"{shell} is not installed")
    if shell == "fish":  # which has a command for it
        done = subprocess.run(["fish", "--no-config", "-c", f"w2w completion fish | source; complete -C '{line}'"], capture_output=True, text=True,
                              cwd=w2w.home, env=w2w.environment(PATH=f"{BUILD}:{os.environ['PATH']}"))
        last = seen.split()[-1].removesuffix(",")
        assert [word.split("\t")[0] for word in done.stdout.splitlines()] == [last], done
        return
    arguments, setup = {
        "bash": (["bash", "--norc", "--noprofile", "-i"], "eval \"$(w2w completion bash)\"; echo re''ady"),
        "zsh": (["zsh", "-f", "-i"], "autoload -U compinit; compinit -D -u; eval \"$(w2w completion zsh)\"; echo re''ady"),
    }[shell]
    shown = typed(w2w, arguments, line + "\t", seen.encode(), setup)
    assert seen.encode() in shown, shown


# --- streams and signals --------------------------------------------------------------------------------------------

def test_colours_only_on_a_terminal(w2w):
    def on_terminal(*arguments, **environment):
        main, other = pty.openpty()
        subprocess.run([w2w.path, *arguments], stderr=other, stdout=subprocess.DEVNULL, cwd=w2w.home,
                       env=w2w.environment(**{"NO_COLOR": None} | environment))
        os.close(other)
        return os.read(main, 4096)
    assert b"\x1b[" in on_terminal("tokens", TERM="xterm")
    assert b"\x1b[" not in on_terminal("tokens", "--no-color", TERM="xterm")
    assert b"\x1b[" not in on_terminal("tokens", TERM="dumb")
    assert b"\x1b[" not in on_terminal("tokens", TERM="xterm", NO_COLOR="1")
    assert "\x1b[" not in w2w("tokens", code=2, NO_COLOR=None, TERM="xterm").stderr


def read_all(descriptor):
    """What a program wrote to a terminal that it has left."""
    data = b""
    while True:
        try:
            data += os.read(descriptor, 65536)
        except OSError:  # Linux's end of file of a pseudo-terminal
            return data


def test_progress_bar_on_a_terminal(w2w):
    main, other = pty.openpty()
    start = time.monotonic()
    command = [w2w.path, "sample", "--identity-seed", "1", "-s", "1", "--steps", "20", "--sampler", "euler"]
    subprocess.run(command, stderr=other, stdout=subprocess.DEVNULL, cwd=w2w.home, check=True,
                   env=w2w.environment(TERM="xterm"))
    seconds = time.monotonic() - start
    os.close(other)
    draws = [draw for draw in read_all(main).decode().split("\r") if "left" in draw]
    assert 0 < len(draws) <= 10 * seconds + 1
    assert re.search(r"\d+/20  [\d.]+ (it/s|s/it), \d+:\d\d left", draws[-1])


def test_a_line_every_ten_percent_elsewhere(w2w):
    done = w2w("sample", "--identity-seed", "1", "-s", "1", "--steps", "20", "--sampler", "euler")
    assert re.findall(r"\((\d+) %\)", done.stderr) == [str(tenth) for tenth in range(10, 101, 10)]
    assert "\r" not in done.stderr
    assert "%" not in w2w("sample", "--identity-seed", "2", "-s", "1", "--steps", "3", "-q").stderr


def test_quiet_keeps_warnings_only(w2w):
    long = "red " * 80
    assert "demo world" in w2w("tokens", "x").stderr
    assert w2w("tokens", "-q", "x").stderr == ""
    assert w2w("tokens", "-q", long).stderr.startswith("w2w: warning: ")


def test_a_full_disk_behind_stdout_is_a_failure(w2w):
    with open("/dev/full", "w") as full:
        done = subprocess.run([w2w.path, "tokens", "x"], stdout=full, stderr=subprocess.PIPE, text=True,
                              env=w2w.environment())
    assert done.returncode == 1
    assert "cannot write the results (stdout)" in done.stderr


def shell(w2w, redirection, *arguments):
    return subprocess.run(["sh", "-c", f'exec "$0" "$@" {redirection}', w2w.path, *arguments], capture_output=True, text=True,
                          cwd=w2w.home, env=w2w.environment())


@pytest.mark.parametrize("redirection", ["2>/dev/full", "2>&-"])
def test_messages_that_cannot_be_written_change_nothing_else(w2w, redirection):
    assert shell(w2w, redirection, "sample", "--steps", "0").returncode == 2
    done = shell(w2w, redirection, "sample", "-s", "1", "--steps", "2", "--identity-seed", "7", "-o", "people")
    assert done.returncode == 0
    assert done.stdout.splitlines() == ["people/person-7.safetensors", "people/person-7_p1_s1.png"]


def test_whoever_reads_the_messages_may_leave(w2w):
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run([w2w.path, "sample", "-s", "1", "--steps", "2", "--identity-seed", "7", "-o", "people"], stderr=writing,
                          stdout=subprocess.PIPE, text=True, cwd=w2w.home, env=w2w.environment(), restore_signals=True)
    os.close(writing)
    assert done.returncode == 0 and len(done.stdout.splitlines()) == 2


def test_a_closed_stdout_is_a_failure_and_no_file_takes_its_place(w2w):
    done = shell(w2w, ">&-", "sample", "-s", "1", "--steps", "2", "--identity-seed", "7", "-o", "people")
    assert done.returncode == 1
    assert "cannot write the results (stdout)" in done.stderr
    w2w("sample", "-s", 1, "--steps", 2, "--identity-seed", 7, "-o", "again")
    for path in (w2w.home / "again").iterdir():
        assert (w2w.home / "people" / path.name).read_bytes() == path.read_bytes()


def test_a_closed_pipe_ends_quietly(w2w, tmp_path):
    (tmp_path / "many.txt").write_text("a photo\n" * 20000)
    done = subprocess.run(["bash", "-c", f"'{w2w.path}' tokens -q --file many.txt | head -n 1"], capture_output=True,
                          text=True, cwd=tmp_path, env=w2w.environment())
    assert done.stdout.count("\n") == 1 and done.stderr == ""


def catches(process, number):
    status = Path(f"/proc/{process.pid}/status").read_text()
    return int(re.search(r"SigCgt:\s+(\w+)", status)[1], 16) >> (number - 1) & 1


def wait_for_handlers(process, number=signal.SIGHUP):
    """Until the program has its signal handlers in place; that of SIGHUP is the last."""
    until(lambda: catches(process, number), process)


@pytest.fixture
def waiting(w2w):
    """A run that waits for prompts on its standard input, with its signal handlers in place."""
    with subprocess.Popen([w2w.path, "tokens", "--file", "-"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, env=w2w.environment()) as process:
        wait_for_handlers(process)
        yield process
        process.kill()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_interrupt_ends_waiting_with_130(waiting, number):
    """Standard input stays open and says nothing."""
    waiting.send_signal(number)
    assert waiting.wait(timeout=60) == 130
    out, err = waiting.communicate(timeout=60)
    assert out == ""
    assert "w2w: error: interrupted" in err


def test_a_second_interrupt_ends_the_process(w2w):
    """In the middle of a step that takes half a minute."""
    command = [w2w.path, "sample", "-W", "1024", "-H", "1024", "-t", "1", "-o", "out"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=w2w.home, env=w2w.environment()) as process:
        def seconds():  # of the processor
            return int(Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()[11]) / os.sysconf("SC_CLK_TCK")
        until(lambda: seconds() >= 4, process)
        process.send_signal(signal.SIGINT)
        until(lambda: not catches(process, signal.SIGINT), process)
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=60) == -signal.SIGINT


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP])
def test_what_the_parent_ignores_stays_ignored(w2w, number):
    """nohup ignores SIGHUP, a shell without job control SIGINT for what runs in the background."""
    with subprocess.Popen([w2w.path, "tokens", "--file", "-"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                          stderr=subprocess.PIPE, env=w2w.environment(),
                          preexec_fn=lambda: signal.signal(number, signal.SIG_IGN)) as process:
        wait_for_handlers(process, signal.SIGTERM)
        process.send_signal(number)
        time.sleep(0.3)
        out, _ = process.communicate("a photo\n", timeout=60)
    assert (process.returncode, out) == (0, w2w("tokens", "a photo").stdout)


def test_one_interrupt_is_enough_on_a_terminal(w2w):
    main, other = pty.openpty()
    with subprocess.Popen([w2w.path, "tokens", "--file", "-"], stdin=other, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          env=w2w.environment(), start_new_session=True,
                          preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0)) as process:
        wait_for_handlers(process)
        os.write(main, b"\x03")  # Ctrl-C
        assert process.wait(timeout=60) == 130
    os.close(main)
    os.close(other)


@pytest.mark.parametrize("arguments", [["tokens", "--file", "pipe"], ["tokens", "x", "--config", "pipe"],
                                       ["train", "--batch-file", "pipe"], ["space", "build", "matrix", "--names", "pipe", "-o", "s"]])
def test_waiting_for_a_pipe_hears_signals(w2w, tmp_path, arguments):
    os.mkfifo(tmp_path / "pipe")
    with subprocess.Popen([w2w.path, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=tmp_path,
                          env=w2w.environment()) as process:
        wait_for_handlers(process)
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=60) == 130
        assert "w2w: error: interrupted" in process.stderr.read()


def bash(w2w, line, code=0):
    done = subprocess.run(["bash", "-c", line, w2w.path], capture_output=True, text=True, cwd=w2w.home, env=w2w.environment(),
                          timeout=120)
    assert done.returncode == code, done.stderr
    return done


def test_what_is_read_once_may_be_a_pipe(w2w, tmp_path):
    ids = w2w("tokens", "a photo").stdout
    assert bash(w2w, '"$0" tokens -q --file <(echo a photo)').stdout == ids
    assert bash(w2w, 'echo a photo | "$0" tokens -q --file /dev/stdin').stdout == ids
    config = bash(w2w, '"$0" tokens "a photo" --config <(printf "[tokens]\\npieces = true\\n")')
    assert config.stdout == w2w("tokens", "--pieces", "a photo").stdout != ids
    w2w("sample", "-s", 1, "--steps", 1, "--identity-seed", 7)
    bash(w2w, '"$0" invert <(cat person-7_p1_s1.png) --steps 1 --seed 1 --name a -o pipe')
    bash(w2w, '"$0" invert person-7_p1_s1.png --steps 1 --seed 1 --name a -o file')
    bash(w2w, '"$0" invert --batch-file <(printf "name,image\\na,person-7_p1_s1.png\\n") --steps 1 --seed 1 -o table')
    read = lambda folder: load_file(tmp_path / folder / "a.safetensors")["coefficients"]
    assert torch.equal(read("pipe"), read("file")) and torch.equal(read("table"), read("file"))


def test_what_is_mapped_cannot_be_a_pipe(w2w, tmp_path):
    w2w("sample", "--no-images", "-o", "p.safetensors")
    for line in ('"$0" inspect <(cat p.safetensors)', '"$0" render <(cat p.safetensors) --steps 1'):
        error = bash(w2w, line, code=3).stderr
        assert "expected a file" in error and "save " in error


def test_streams_without_an_end(w2w):
    for arguments in (["tokens", "--file", "/dev/zero"], ["tokens", "x", "--config", "/dev/zero"]):
        error = w2w(*arguments, code=3).stderr
        assert "(/dev/zero): expected at most 256 MiB, found more\nhint: it may be a stream without an end" in error


def test_running_out_of_memory_exits_5(w2w, tmp_path):
    with open(tmp_path / "huge.txt", "wb") as file:
        file.truncate(250 << 20)  # one line of zeros without an end, none of it on disk
    done = subprocess.run(["bash", "-c", f"ulimit -v {1 << 20}; '{w2w.path}' tokens --file huge.txt"], capture_output=True,
                          text=True, cwd=tmp_path, env=w2w.environment(), timeout=120)
    assert done.returncode == 5, done.stderr
    assert "w2w: error: out of memory\nhint: " in done.stderr
