"""The layer check finds each kind of breach, and nothing in what is allowed."""
import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "scripts" / "check_layers.py"


def check(root, path, text):
    file = root / path
    file.parent.mkdir(parents=True)
    file.write_text(text)
    done = subprocess.run([sys.executable, SCRIPT, root], capture_output=True, text=True)
    return done.returncode, done.stdout


@pytest.mark.parametrize("path, text, said", [
    ("src/base/a.cpp", '#include "w2w/io/json.h"\n', "src/base/a.cpp:1: includes w2w/io/json.h"),
    ("src/sd/a.cpp", '\n#include "w2w/schedulers/ddim.h"\n', "src/sd/a.cpp:2: includes w2w/schedulers/ddim.h"),
    ("src/nn/a.cpp", '#include "io/json_file.h"\n', "includes io/json_file.h"),
    ("include/w2w/lora/a.h", '#include "io/json_file.h"\n', "the private io/json_file.h"),
    ("include/w2w/io/a.h", "#include <nlohmann/json.hpp>\n", "is a public header"),
    ("src/nn/a.cpp", "#include <nlohmann/json.hpp>\n", "allowed only in"),
    ("src/text/a.cpp", "#include <boost/any.hpp>\n", "does not know"),
    ("tools/cli/a.cpp", "#include <torch/torch.h>\n", "15 s a file"),
    ("src/nn/a.cpp", "void f() { std::cout << 1; }\n", "prints"),
    ("src/nn/a.cpp", 'void f() { printf("x"); }\n', "prints"),
    ("src/nn/a.cpp", "void f() { std::exit(1); }\n", "exits"),
    ("src/nn/a.cpp", 'auto x = std::getenv("HOME");\n', "reads the environment"),
    ("src/attic/a.cpp", "", "is not a room"),
    ("src/nn/a.cpp", 'auto hint = "use --dtype f32";\n', "names a command-line option"),
    ("src/nn/a.cpp", 'auto hint = "`w2w doctor` says more";\n', "names a command-line option"),
    ("src/nn/a.cpp", 'auto hint = "choose another (-o)";\n', "names a command-line option"),
    ("src/space/a.cpp", '#include "w2w/space/build/builder.h"\n', "space may include only"),
    ("src/nn/a.cpp", '#include "cli/app/app.h"\n', "does not know"),
    ("tools/cli/terminal/a.cpp", '#include "cli/options/seeds.h"\n', "cli/terminal may include only nothing of cli"),
    ("tools/cli/files/a.cpp", '#include "cli/commands/space/options.h"\n', "cli/files may include only"),
    ("tools/cli/attic/a.cpp", '#include "cli/options/seeds.h"\n', "is not a folder of the program"),
    ("tools/cli/commands/space/a.cpp", '#include "cli/commands/train/plan.h"\n', "of another command"),
    ("tools/cli/commands/a.cpp", '#include "cli/commands/train/plan.h"\n', "of another command"),
])
def test_a_breach_is_named(tmp_path, path, text, said):
    code, output = check(tmp_path, path, text)
    assert code == 1 and said in output


@pytest.mark.parametrize("path, text", [
    ("src/text/a.cpp", '#include <sentencepiece_processor.h>\n#include <fmt/format.h>\n#include "w2w/io/json.h"\n'),
    ("src/lora/a.cpp", '#include "io/json_file.h"\n#include "lora/names.h"\n#include "w2w/nn/linear.h"\n'),
    ("src/io/a.cpp", "#include <sys/mman.h>\n#include <vector>\n#include <ATen/core/Tensor.h>\n"),
    ("src/io/a.cpp", '// printf(x), getenv\nconst char* text = "exit(1)";\nvoid f() { snprintf(b, 1, "x"); on_exit_(); }\n'),
    ("src/nn/a.cpp", 'auto hint = "use <dtype> f32; see `ulimit -v`";  // --dtype\n'),
    ("src/space/build/a.cpp", '#include "w2w/space/space.h"\n#include "space/build/collect.h"\n'),
    ("tools/cli/commands/space/a.cpp", '#include "cli/commands/space/options.h"\n#include "cli/commands/pictures.h"\n#include "w2w/io/image.h"\n'),
    ("tools/cli/a.cpp", '#include <CLI/CLI.hpp>\nvoid f() { std::cout << getenv("HOME"); }\n'),
])
def test_what_is_allowed_passes(tmp_path, path, text):
    assert check(tmp_path, path, text) == (0, "check_layers: 1 files, 0 breaches\n")


def test_the_table_for_people_is_the_table_of_the_script():
    spec = importlib.util.spec_from_file_location("check_layers", SCRIPT)
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    rows = [line.split("|")[1:3] for line in (SCRIPT.parents[1] / "CONTRIBUTING.md").read_text().splitlines() if line.startswith("| ")]
    table = {room.strip(): allowed.strip() for room, allowed in rows}
    for room, allowed in script.ROOMS.items():
        assert table[room] == (", ".join(allowed) or "-")
    for folder, allowed in script.CLI.items():
        assert table[f"cli/{folder}"] == (", ".join(f"cli/{other}" for other in allowed) or "-")


def test_the_program_has_a_word_for_every_control_that_the_library_names():
    root = SCRIPT.parents[1]
    worded = (root / "tools/cli/terminal/worded.cpp").read_text()
    text = "\n".join(path.read_text() for path in sorted((root / "src").rglob("*.cpp")))
    named = {name for literal in re.findall(r'"(?:\\.|[^"\\\n])*"', text) for name in re.findall(r"<([a-z][a-z-]*)>", literal)} - {"cat"}  # of a prompt
    assert len(named) > 20
    assert {name for name in named if f'"{name}"' not in worded} == set()
