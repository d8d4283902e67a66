"""Reads the #include lines and refuses what the house rules forbid; the table is that of CONTRIBUTING.md.

    check_layers.py [SOURCE_ROOT]    exit code 0 and one line, or 1 and a line for each breach
"""
import re
import sys
from pathlib import Path

ROOMS = {  # room: the rooms it may include besides itself
    "base": [],
    "device": ["base"],
    "io": ["base", "device"],
    "text": ["base", "io"],
    "nn": ["base", "device"],
    "schedulers": ["base"],
    "sd": ["base", "device", "io", "text", "nn"],
    "lora": ["base", "device", "io", "nn"],
    "space": ["base", "device", "io", "lora"],
    "space/build": ["base", "device", "io", "lora", "space"],
    "space/directions": ["base", "device", "io", "space"],
    "pipeline": ["base", "device", "io", "text", "nn", "schedulers", "sd", "lora", "space"],
    "engine": ["base", "device", "io", "text", "nn", "schedulers", "sd", "lora", "space", "space/build", "space/directions",
               "pipeline"],
    "cuda": ["base", "device", "nn"],
}
CLI = {  # the program's own folders, each of which may include all rooms: what they may include of each other
    "terminal": [],
    "options": ["terminal"],
    "app": ["terminal", "options"],
    "files": ["terminal", "options"],
    "commands": ["terminal", "options", "app", "files"],
}
THIRD = {  # header pattern: the rooms whose .cpp files may include it (no public header may)
    r"fmt/": list(ROOMS),
    r"openssl/": ["base"],
    r"nlohmann/": ["io", "text", "sd", "lora", "space", "space/build", "pipeline", "engine"],
    r"stb/stb_truetype\.h": ["engine"],
    r"stb/|stb_|png\.h|jpeglib\.h|jerror\.h|webp/|libheif/|tiffio\.h": ["io"],
    r"zlib\.h": ["io", "text"],
    r"pcre2\.h": ["lora"],
    r"sentencepiece|utf8proc\.h": ["text"],
    r"cuda|cublas|cudnn": ["cuda"],
}
TORCH = re.compile(r"(ATen|c10|caffe2|torch)/")
PLATFORM = re.compile(r"(sys/.*|unistd|fcntl|dlfcn|signal|setjmp|pthread|immintrin|cpuid|omp)(\.h)?$")
STANDARD = re.compile(r"[a-z0-9_]+$")  # <vector>, <cstdint>: C++ headers have no extension
ONLY_TOOLS = {  # what nothing below tools/ may do
    "prints": re.compile(r"\bstd::(cout|cerr|clog|puts|printf|fprintf)\b|(?<![\w:.>])(f?printf|f?puts|putchar)\s*\(|\bfmt::print"),
    "exits": re.compile(r"(?<![\w.>])(std::)?(exit|_exit|quick_exit|abort|terminate)\s*\("),
    "reads the environment": re.compile(r"\b(secure_)?getenv\b|\benviron\b"),
}
OPTION_NAMED = re.compile(r"(?<![\w-])--[a-z]|`w2w |[( ]-[moWH]\b")  # hints name settings as <dtype>: cli/terminal/worded.h
STRING = re.compile(r'"(?:\\.|[^"\\\n])*"')
COMMENT_OR_STRING = re.compile(r'//[^\n]*|/\*.*?\*/|R"(\w*)\(.*?\)\1"|"(?:\\.|[^"\\\n])*"', re.S)
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]', re.M)


def room_of(path):
    """The room of a path below include/w2w or src: "space/build/builder.h" is of space/build, "space/space.h" of space."""
    folders = path.split("/")[:-1]
    return next((room for room in ("/".join(folders[:2]), "/".join(folders[:1])) if room in ROOMS), None)


def walls_of_the_program(path, header):
    """What is wrong with `header` in a file of tools/cli: "commands/space/build.cpp" is of commands, with the actions of `space`."""
    folders, included = path.split("/")[:-1], header.split("/")[1:-1]
    if not header.startswith("cli/") or not folders or not included:
        return None
    if folders[0] not in CLI:
        return f"is of cli/{folders[0]}, which is not a folder of the program; expected one of {', '.join(CLI)}"
    if included[0] != folders[0] and included[0] not in CLI[folders[0]]:
        return f"includes {header}, but cli/{folders[0]} may include only {', '.join(CLI[folders[0]]) or 'nothing of cli'}"
    if included[0] == "commands" and included[1:] and included[1:] != folders[1:]:
        return f"includes {header} of another command"
    return None


def included_breaches(room, header, public):
    """What is wrong with `header` in a file of `room` (None: tools, where every third party is allowed)."""
    if header == "torch/torch.h" or header == "torch/extension.h":
        return f"includes <{header}> (15 s a file): include the single headers under ATen/ and c10/"
    if room is None:
        return None
    own = room_of(header.removeprefix("w2w/"))
    if own:
        if own != room and own not in ROOMS[room]:
            return f"includes {header}, but {room} may include only {', '.join(ROOMS[room]) or 'nothing of the house'}"
        if public and not header.startswith("w2w/"):
            return f"is a public header and includes the private {header}"
        return None
    for pattern, allowed in THIRD.items():
        if re.match(pattern, header):
            if public:
                return f"is a public header and includes <{header}>: third parties live in .cpp files"
            return None if room in allowed else f"includes <{header}>, allowed only in {', '.join(allowed)}"
    if TORCH.match(header) or PLATFORM.match(header) or STANDARD.match(header) or header.endswith(".inc"):
        return None
    if "/" not in header and not public and header.endswith((".h", ".cuh")):
        return None  # a private header beside its source
    return f"includes <{header}>, which the table in scripts/check_layers.py does not know"


def without_comments(text):
    return COMMENT_OR_STRING.sub(lambda m: m[0] if m[0].startswith(('"', "R")) else re.sub(r"[^\n]", " ", m[0]), text)


def without_comments_and_strings(text):
    return COMMENT_OR_STRING.sub(lambda m: re.sub(r"[^\n]", " ", m[0]), text)


def breaches(root, path):
    relative = path.relative_to(root)
    inside = "/".join(relative.parts[{"include": 2, "src": 1, "tools": 2}[relative.parts[0]]:])
    room = None if relative.parts[0] == "tools" else room_of(inside)
    if relative.parts[0] != "tools" and room is None:
        yield f"{relative}: '{inside.split('/')[0]}' is not a room; expected one of {', '.join(ROOMS)}"
        return
    of_the_program = relative.parts[:2] == ("tools", "cli")
    text = path.read_text()
    line = lambda at: text.count("\n", 0, at) + 1
    for match in INCLUDE.finditer(text):
        wrong = included_breaches(room, match[2], relative.parts[0] == "include")
        if of_the_program:
            wrong = wrong or walls_of_the_program(inside, match[2])
        if wrong:
            yield f"{relative}:{line(match.start(1))}: {wrong}"
    if room is not None:
        for match in STRING.finditer(without_comments(text)):
            if OPTION_NAMED.search(match[0]):
                yield f"{relative}:{line(match.start())}: names a command-line option ({match[0]}); hints name <settings> instead"
        code = without_comments_and_strings(text)
        for deed, pattern in ONLY_TOOLS.items():
            for match in pattern.finditer(code):
                yield f"{relative}:{line(match.start())}: {deed} ('{match[0].strip()}'), which only tools/ may do"


def main():
    root = Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).parent.parent).resolve()
    paths = sorted(p for top in ("include", "src", "tools") for p in (root / top).rglob("*")
                   if p.suffix in {".h", ".cpp", ".cu", ".cuh"})
    found = [breach for path in paths for breach in breaches(root, path)]
    for breach in found:
        print(breach)
    print(f"check_layers: {len(paths)} files, {len(found)} breaches")
    return 1 if found or not paths else 0


if __name__ == "__main__":
    sys.exit(main())
