"""Every page that a text in the repository cites or links to exists, and so does the section that it names."""
import re
import subprocess
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NOT_CITED = {"peft/README.md", "all/readme.md", "readme.md"}  # files that tests make
PAGE = r"[\w./-]*\w\.md\b"


def slug(heading):
    """The anchor that GitHub gives a heading."""
    return re.sub(r"[^\w\- ]", "", heading.replace("`", "").strip().lower()).replace(" ", "-")


@cache
def headings(page):
    text = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.S | re.M)
    return [re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", title) for title in re.findall(r"^#+ +(.*?) *$", text, re.M)]


def find(root, folder, page):
    """A page is named from the root of the repository or from the file that names it."""
    return next((place / page for place in (folder, root) if (place / page).is_file()), None)


def faults(root, path):
    """What `path` names in vain, as a list of texts."""
    try:
        text = (root / path).read_text()
    except UnicodeDecodeError:
        return []
    folder, found = (root / path).parent, []
    text = re.sub(r"\n\s*(?:///?|#)?\s*(?=[\w\"(])", " ", text)  # of a comment's lines one
    text = re.sub(r"https?://\S+", "", text)
    for page, title in re.findall(rf'({PAGE})(?:, "([^"\n]+)")?', text):
        if page in NOT_CITED:
            continue
        if not (cited := find(root, folder, page)):
            found.append(f"{path}: no page {page}")
        elif title and title not in headings(cited):
            found.append(f"{path}: no section \"{title}\" in {page}")
    if not path.endswith(".md"):
        return found
    text = re.sub(r"```.*?```|`[^`\n]*`", "", text, flags=re.S)
    for target, anchor in re.findall(r"\]\(([^)#\s]*)(?:#([^)\s]*))?\)", text):
        linked = folder / target if target else root / path
        if not linked.exists():
            found.append(f"{path}: no file {target}")
        elif anchor and anchor not in map(slug, headings(linked)):
            found.append(f"{path}: no section #{anchor} in {linked.name}")
    return found


def test_everything_cited_exists():
    paths = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\0")
    paths = [path for path in paths if (ROOT / path).is_file() and (ROOT / path) != Path(__file__)]  # this file cites what is not there
    found = [fault for path in paths for fault in faults(ROOT, path)]
    assert not found, "\n".join(found)


@pytest.mark.parametrize("path, text, said", [
    ("a.h", "/// as formats.md says\n", "no page formats.md"),
    ("a.h", "/// as docs/formats.md says\n", None),
    ("docs/b.md", "as formats.md says\n", None),
    ("a.cpp", '// (docs/formats.md, "The space")\n', None),
    ("a.cpp", '// (docs/formats.md,\n// "The space")\n', None),
    ("a.cpp", '// (docs/formats.md, "Spaces")\n', 'no section "Spaces" in docs/formats.md'),
    ("a.cpp", '// (docs/formats.md,\n// "Spaces")\n', 'no section "Spaces" in docs/formats.md'),
    ("a.py", '"""https://example.org/formats.md"""\n', None),
    ("b.md", "[files](docs/formats.md#the-space-of-100-models)\n", None),
    ("b.md", "[files](docs/formats.md#the-spaces)\n", "no section #the-spaces in formats.md"),
    ("b.md", "# Here\n[there](#here) [nowhere](#there)\n", "no section #there in b.md"),
    ("b.md", "![picture](docs/picture.png)\n", "no file docs/picture.png"),
    ("docs/b.md", "[files](docs/formats.md)\n", "no file docs/formats.md"),
    ("b.md", "`[a](b)` is code\n", None),
])
def test_what_does_not_exist_is_found(tmp_path, path, text, said):
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs/formats.md").write_text("# Files\n## The space\n## The `space` of 100 models\n```\n# Spaces\n```\n")
    (tmp_path / path).write_text(text)
    headings.cache_clear()
    found = faults(tmp_path, path)
    assert len(found) == bool(said), found
    assert not said or said in found[0]
