"""A small CLIP tokenizer: byte-pair merges until every word of the grammar is one token.

Running it writes vocab.json, merges.txt and the two configuration files, and compares with transformers.
"""
import functools
import json
import string
from collections import Counter

import torch

from captions import corpus
from world import WORK, write_json

FOLDER, LENGTH = WORK / "tokenizer", 77
START, END = "<|startoftext|>", "<|endoftext|>"
SPARE_WORDS = ("he she boy girl drawing portrait face picture hat cap sun sea tree street party very nice "
               "happy sad sks low quality blurry unfinished cartoon photo hair eyes not no")


def merges_for(words):
    """Merges of the most frequent pair, again and again, until every word is one symbol."""
    spelled = {w: tuple(w[:-1]) + (w[-1] + "</w>",) for w in words}
    merges = []
    while pairs := Counter(p for s in spelled.values() for p in zip(s, s[1:])):
        best = max(sorted(pairs), key=lambda p: pairs[p])
        merges.append(best)
        spelled = {w: join(s, best) for w, s in spelled.items()}
    return merges


def join(symbols, pair):
    out, i = [], 0
    while i < len(symbols):
        found = symbols[i:i + 2] == pair
        out.append("".join(pair) if found else symbols[i])
        i += 2 if found else 1
    return tuple(out)


def build():
    words = {w for text in corpus(8000, 1) for w in text.replace(",", " ").split()} | set(SPARE_WORDS.split())
    merges = merges_for(sorted(words))
    letters = list(string.ascii_lowercase + string.digits + ",.-!?'")
    tokens = letters + [c + "</w>" for c in letters] + list(dict.fromkeys(a + b for a, b in merges))
    vocabulary = {t: i for i, t in enumerate(tokens + [START, END])}
    FOLDER.mkdir(exist_ok=True)
    (FOLDER / "vocab.json").write_text(json.dumps(vocabulary, ensure_ascii=False))
    (FOLDER / "merges.txt").write_text("#version: 0.2\n" + "".join(f"{a} {b}\n" for a, b in merges))
    special = dict(bos_token=START, eos_token=END, pad_token=END, unk_token=END)
    write_json(FOLDER / "special_tokens_map.json", special)
    write_json(FOLDER / "tokenizer_config.json", dict(
        tokenizer_class="CLIPTokenizer", model_max_length=LENGTH, do_lower_case=True, errors="replace",
        add_prefix_space=False, **special))


@functools.cache
def vocabulary():
    if not (FOLDER / "vocab.json").exists():
        build()
    return json.loads((FOLDER / "vocab.json").read_text())


def encode(text):
    """The ids of a text made of known words."""
    v = vocabulary()
    ids = [v[START]] + [v[w + "</w>"] for w in text.replace(",", " ,").split()][:LENGTH - 2]
    return ids + [v[END]] * (LENGTH - len(ids))


def encode_all(texts):
    return torch.tensor([encode(t) for t in texts])


if __name__ == "__main__":
    build()
    from transformers import CLIPTokenizer
    theirs = CLIPTokenizer.from_pretrained(FOLDER)
    texts = corpus(500, 9) + ["sks person", ""]
    wrong = [t for t in texts
             if theirs(t, padding="max_length", max_length=LENGTH, truncation=True).input_ids != encode(t)]
    print(len(vocabulary()), "entries;", len(wrong), "of", len(texts), "captions differ", wrong[:2])
    print("longest", max(LENGTH - encode(t).count(vocabulary()[END]) + 1 for t in texts), "tokens")
