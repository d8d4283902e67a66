"""Reads the #include lines and refuses what the house rules forbid; the table is that of CONTRIBUTING.md.

    check_layers.py [SOURCE_ROOT]    exit code 0 and one line, or 1 and a line for each breach
"""
import re
import sys
from pathlib import Path

ROOMS = {  # room: the rooms it may include besides itself
    "base": [],
    "io": ["base"],
    "text": ["base", "io"],
    "nn": ["base"],
    "schedulers": ["base"],
    "sd": ["base", "io", "text", "nn"],
    "lora": ["base", "io", "nn"],
    "space": ["base", "io", "lora"],
    "pipeline": ["base", "io", "text", "nn", "schedulers", "sd", "lora", "space"],
    "cuda": ["base", "nn"],
}
THIRD = {  # header pattern: the rooms whose .cpp files may include it (no public header may)
    r"fmt/": list(ROOMS),
    r"openssl/": ["base"],
    r"nlohmann/": ["io", "text", "sd", "lora", "space", "pipeline"],
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
COMMENT_OR_STRING = re.compile(r'//[^\n]*|/\*.*?\*/|R"(\w*)\(.*?\)\1"|"(?:\\.|[^"\\\n])*"', re.S)
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]', re.M)


def included_breaches(room, header, public):
    """What is wrong with `header` in a file of `room` (None: tools, where every third party is allowed)."""
    if header == "torch/torch.h" or header == "torch/extension.h":
        return f"includes <{header}> (15 s a file): include the single headers under ATen/ and c10/"
    if room is None:
        return None
    own = re.match(r"(w2w/)?([^/]+)/", header)
    if own and own[2] in ROOMS:
        if own[2] != room and own[2] not in ROOMS[room]:
            return f"includes {header}, but {room} may include only {', '.join(ROOMS[room]) or 'nothing of the house'}"
        if public and not own[1]:
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


def without_comments_and_strings(text):
    return COMMENT_OR_STRING.sub(lambda m: re.sub(r"[^\n]", " ", m[0]), text)


def breaches(root, path):
    relative = path.relative_to(root)
    room = None if relative.parts[0] == "tools" else relative.parts[{"include": 2, "src": 1}[relative.parts[0]]]
    if room is not None and room not in ROOMS:
        yield f"{relative}: '{room}' is not a room; expected one of {', '.join(ROOMS)}"
        return
    text = path.read_text()
    line = lambda at: text.count("\n", 0, at) + 1
    for match in INCLUDE.finditer(text):
        wrong = included_breaches(room, match[2], relative.parts[0] == "include")
        if wrong:
            yield f"{relative}:{line(match.start(1))}: {wrong}"
    if room is not None:
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
