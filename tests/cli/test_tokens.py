"""`w2w tokens`: ids as lines, pieces, files, JSON, and the text that does not fit."""
import json
import os
import pty
import signal
import subprocess

import pytest
from transformers import CLIPTokenizer

from conftest import ROOT

DEMO = ROOT / "share" / "w2w" / "demo" / "model" / "tokenizer"
PROMPTS = ["a person with glasses", "", "sks person on the beach", "[a, b]", "++", "Ünïcode 👍 (x:1.2)", "  two   spaces "]


@pytest.fixture(scope="module")
def reference():
    return CLIPTokenizer.from_pretrained(DEMO)


def lines(done):
    return [[int(i) for i in line.split()] for line in done.stdout.splitlines()]


def test_one_line_of_ids_each_as_transformers_has_them(w2w, reference):
    expected = [reference(prompt, truncation=True).input_ids for prompt in PROMPTS]
    assert lines(w2w("tokens", *PROMPTS)) == expected
    assert lines(w2w("tokens", "--tokenizer", DEMO, *PROMPTS)) == expected
    assert lines(w2w("tokens", "--model", DEMO.parent, *PROMPTS)) == expected
    assert lines(w2w("tokens", "--model", DEMO, *PROMPTS)) == expected


def test_a_file_has_one_prompt_a_line(w2w, tmp_path, reference):
    (tmp_path / "p.txt").write_bytes(b"a person\n\nsmiling\r\nno newline at the end")
    expected = [reference(prompt).input_ids for prompt in ["a person", "", "smiling", "no newline at the end"]]
    assert lines(w2w("tokens", "--file", "p.txt")) == expected
    assert lines(w2w("tokens", "--file", "-", stdin="a person\n")) == expected[:1]
    assert lines(w2w("tokens", "smiling", "--file", "p.txt")) == [expected[2], *expected]


def test_one_interrupt_ends_the_wait_for_standard_input(w2w):
    """On a terminal that nobody types at, or a pipe that nobody writes into."""
    ours, theirs = pty.openpty()
    for stdin in theirs, subprocess.PIPE:
        process = subprocess.Popen([w2w.path, "tokens", "--file", "-"], stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                   cwd=w2w.home, env=w2w.environment(), text=True)
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(1)
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == 130
        assert "interrupted" in process.stderr.read()
    os.close(ours), os.close(theirs)


def test_pieces_follow_a_tab(w2w, reference):
    ids, pieces = w2w("tokens", "--pieces", "sks person").stdout.rstrip("\n").split("\t")
    assert pieces.split() == reference.convert_ids_to_tokens([int(i) for i in ids.split()])


def test_json_has_it_all(w2w, reference):
    result = json.loads(w2w("tokens", "--json", "sks person").stdout)
    assert result["command"] == "tokens" and result["outputs"] == []
    assert result["prompts"] == [{"text": "sks person", "ids": reference("sks person").input_ids,
                                  "pieces": ["<|startoftext|>", "sks</w>", "person</w>", "<|endoftext|>"], "cut_off": ""}]


def test_text_that_is_cut_off_is_shown(w2w, reference):
    done = w2w("tokens", "red " * 74 + "hat Person on the BEACH")
    assert lines(done) == [reference("red " * 74 + "hat Person on the BEACH", truncation=True).input_ids]
    assert "warning: prompt 1 is longer than the 75 tokens the model sees; cut off: 'person on the beach'" in done.stderr


def test_prompt_weights_leave_the_brackets_out(w2w, reference):
    done = json.loads(w2w("tokens", "--json", "--prompt-weights", "a (person:1.5) [smiling]").stdout)["prompts"][0]
    assert done["ids"] == reference("a person smiling").input_ids
    assert done["weights"] == pytest.approx([1, 1, 1.5, 1 / 1.1, 1])


def test_a_prompt_that_begins_with_a_dash(w2w, reference):
    assert lines(w2w("tokens", "--", "--glasses")) == [reference("--glasses").input_ids]


def test_a_folder_without_vocabulary(w2w, tmp_path):
    assert "vocab.json" in w2w("tokens", "-m", tmp_path, "x", code=4).stderr


def test_byte_order_marks(w2w, tmp_path):
    expected = w2w("tokens", "a person", "smiling").stdout
    for name, text in (("prompts.txt", b"\xef\xbb\xbfa person\r\nsmiling\r\n"), ("plain.txt", b"a person\nsmiling")):
        (tmp_path / name).write_bytes(text)
        assert w2w("tokens", "--file", name).stdout == expected
    assert w2w("tokens", "--file", "-", stdin="\ufeffa person\nsmiling\n").stdout == expected
    (tmp_path / "wide.txt").write_bytes("a person".encode("utf-16"))
    error = w2w("tokens", "--file", "wide.txt", code=3).stderr
    assert "(wide.txt): expected text in UTF-8, found UTF-16" in error and "iconv" in error
    (tmp_path / "config.toml").write_bytes(b"\xef\xbb\xbf[tokens]\r\npieces = true\r\n")
    assert w2w("tokens", "a person", "--config", "config.toml").stdout == w2w("tokens", "a person", "--pieces").stdout
    (tmp_path / "config.toml").write_bytes("[tokens]\n".encode("utf-16"))
    assert "found UTF-16" in w2w("tokens", "a person", "--config", "config.toml", code=3).stderr
