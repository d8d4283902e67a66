"""The text room's ids against transformers' CLIPTokenizer, live, with no difference allowed."""
import gzip
import json
import os
import random
import subprocess
from pathlib import Path

import open_clip
import pytest
from transformers import AddedToken, CLIPTokenizer

PROBE = Path(os.environ.get("W2W_BUILD", Path(__file__).parents[2] / "build")) / "w2w_probe"
BOS, EOS = "<|startoftext|>", "<|endoftext|>"
END = b"\xff"  # no byte of UTF-8: separates texts, which may hold NUL


def byte_characters():
    """GPT-2's character of each byte, in the order of CLIP's ids."""
    plain = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    rest = [b for b in range(256) if b not in plain]
    return {b: chr(b) for b in plain} | {b: chr(256 + i) for i, b in enumerate(rest)}


def write_folder(folder, entries, merges, config=None, special_map=None):
    folder.mkdir()
    (folder / "vocab.json").write_text(json.dumps({entry: i for i, entry in enumerate(entries)}))
    (folder / "merges.txt").write_text("#version: 0.2\n" + "".join(f"{a} {b}\n" for a, b in merges), encoding="utf-8")
    if config is not None:
        (folder / "tokenizer_config.json").write_text(json.dumps(config))
    if special_map is not None:
        (folder / "special_tokens_map.json").write_text(json.dumps(special_map))
    return folder


def clip_entries():
    packed = Path(open_clip.__file__).parent / "bpe_simple_vocab_16e6.txt.gz"
    lines = gzip.decompress(packed.read_bytes()).decode().split("\n")[1:48895]
    merges = [tuple(line.split()) for line in lines]
    characters = list(byte_characters().values())
    entries = characters + [c + "</w>" for c in characters] + [a + b for a, b in merges] + [BOS, EOS]
    assert len(entries) == 49408
    return entries, merges


@pytest.fixture(scope="module")
def clip_folder(tmp_path_factory):
    return write_folder(tmp_path_factory.mktemp("tokens") / "clip", *clip_entries())


def ours(source, texts, tmp_path):
    file = tmp_path / "texts"
    file.write_bytes(b"".join(text.encode() + END for text in texts))
    run = subprocess.run([PROBE, "tokens", source, file], capture_output=True, check=True)
    lines = run.stdout.decode().split("\n")[:-1]
    assert len(lines) == len(texts)
    return [tuple([int(i) for i in part.split()] for part in line.split("\t")) for line in lines]


def differences(source, tokenizer, texts, tmp_path, framed=2000):
    """Compares all ids of all texts, and the 77 ids the text encoder takes of the first `framed`."""
    found = ours(source, texts, tmp_path)
    expected = tokenizer(texts, add_special_tokens=False).input_ids
    wrong = [(text, a, b) for text, (a, _), b in zip(texts, found, expected) if a != b]
    if framed == 0:
        return wrong
    padded = tokenizer(texts[:framed], padding="max_length", truncation=True, max_length=77).input_ids
    return wrong + [(text, a, b) for text, (_, a), b in zip(texts, found, padded) if a != b]


SCRIPTS = [(0x20, 0x7E), (0xA0, 0x17F), (0x180, 0x24F), (0x250, 0x2FF), (0x300, 0x36F), (0x370, 0x3FF), (0x400, 0x52F),
           (0x530, 0x58F), (0x590, 0x5FF), (0x600, 0x6FF), (0x900, 0x97F), (0x980, 0x9FF), (0xB80, 0xBFF), (0xE00, 0xE7F),
           (0xF00, 0xFFF), (0x1000, 0x109F), (0x10A0, 0x10FF), (0x1100, 0x11FF), (0x13A0, 0x13FF), (0x1780, 0x17FF),
           (0x1AB0, 0x1AFF), (0x1D00, 0x1DFF), (0x1E00, 0x1EFF), (0x1F00, 0x1FFF), (0x2000, 0x206F), (0x2070, 0x20CF),
           (0x20D0, 0x20FF), (0x2100, 0x218F), (0x2190, 0x23FF), (0x2460, 0x27BF), (0x2C00, 0x2DFF), (0x3000, 0x30FF),
           (0x3130, 0x318F), (0x4E00, 0x9FFF), (0xA640, 0xA7FF), (0xAB70, 0xABBF), (0xAC00, 0xD7A3), (0xE000, 0xE0FF),
           (0xF900, 0xFAFF), (0xFB00, 0xFDFF), (0xFE00, 0xFFFF), (0x10000, 0x100FF), (0x10400, 0x1044F), (0x11000, 0x114FF),
           (0x1D100, 0x1D24F), (0x1D400, 0x1D7FF), (0x1E900, 0x1E95F), (0x1F100, 0x1F1FF), (0x1F300, 0x1FAFF),
           (0x20000, 0x2A6DF), (0xE0000, 0xE01FF), (0x10FF00, 0x10FFFF)]
SPACES = [" ", "  ", "\t", "\n", "\r\n", "\x0b", "\x0c", "\x85", "\xa0", "\u1680", "\u2003", "\u2028", "\u202f", "\u3000", ""]
WORDS = """a photo of sks person woman man with glasses, sitting on the beach at sunset portrait detailed 8k uhd trending
    artstation don't it's we're I'll you've he'd I'm O'Neill rock'n'roll ''twas 'S 'LL naïve café Ångström İstanbul STRASSE
    straße ΣΊΣΥΦΟΣ Ωμέγα ﬁne ǅ K Å Ω Москва 東京 서울 ﷺ हिन्दी ภาษาไทย עִבְרִית العَرَبِيَّة 👩‍👩‍👧‍👦 🏳️‍🌈 👍🏽 🇯🇵 1️⃣ ½ Ⅷ ² ٣٤ 2023 3.14 100%
    (word:1.3) [x] {y} <lora:x:1> </w> a</w> \ue041 <| |> ... !!! ?!? :-) #tag @name snake_case e-mail http://x.y/?q=1&r=2
    pneumonoultramicroscopicsilicovolcanoconiosis aaaaaaaaaaaaaaaaaaaaaaaa hahahahaha""".split()
SPECIALS = [BOS, EOS, "<|StartOfText|>", "<|ENDOFTEXT|>", "<|endoftext|", "|endoftext|>", "<<|endoftext|>>", "!"]
CONTROLS = [chr(c) for c in [*range(32), 0x7F, *range(0x80, 0xA0), 0xAD, 0x200B, 0x200D, 0x2060, 0xFEFF, 0xFFFD, 0xFFFF]]


def characters(rng, count):
    first, last = rng.choice(SCRIPTS)
    return "".join(chr(rng.randint(first, last)) for _ in range(count))


def make_text(rng):
    kind = rng.random()
    if kind < 0.35:
        parts = [rng.choice(WORDS) + rng.choice(SPACES[:3] if rng.random() < 0.8 else SPACES) for _ in range(rng.randint(0, 14))]
    elif kind < 0.6:
        parts = [characters(rng, rng.randint(1, 6)) + rng.choice(["", "", " ", "'s", "\u0301", "1"]) for _ in range(rng.randint(1, 5))]
    elif kind < 0.75:
        pool = [lambda: rng.choice(WORDS), lambda: rng.choice(SPACES), lambda: rng.choice(SPECIALS), lambda: rng.choice(CONTROLS),
                lambda: characters(rng, 1), lambda: str(rng.randint(0, 99999)), lambda: "'" + rng.choice("strvmldx")]
        parts = [rng.choice(pool)() for _ in range(rng.randint(1, 10))]
    elif kind < 0.85:
        parts = rng.choices("etaoinshrdlu'TH .,!?-", k=rng.randint(1, 40))
    elif kind < 0.93:
        parts = [rng.choice("aeoucnAOSDdIiqœ한가각각קि") + "".join(rng.choice("\u0301\u0308\u0323\u0327\u0307\u0345\u05bc\u3099ᅡᆨ") for _ in range(rng.randint(0, 4)))
                 for _ in range(rng.randint(1, 6))]
    elif kind < 0.99:
        parts = [chr(rng.choice([rng.randrange(0xD800), rng.randrange(0xE000, 0x110000)])) for _ in range(rng.randint(1, 8))]
    else:
        parts = [rng.choice(WORDS) + " " for _ in range(rng.randint(60, 120))]
    return "".join(parts)


def make_texts(count, seed):
    rng = random.Random(seed)
    return ["", " ", *WORDS, *SPECIALS, *CONTROLS, *(make_text(rng) for _ in range(count))]


def test_clip_vocabulary_on_generated_texts(clip_folder, tmp_path):
    texts = make_texts(100_000, seed=1)
    assert differences(clip_folder, CLIPTokenizer.from_pretrained(clip_folder), texts, tmp_path) == []


def test_builtin_vocabulary(clip_folder, tmp_path):
    texts = make_texts(10_000, seed=2)
    assert differences("builtin", CLIPTokenizer.from_pretrained(clip_folder), texts, tmp_path) == []


def test_class_case_and_composition_of_every_character(clip_folder, tmp_path):
    """Beyond 33FFF only E0000..E01FF and the private planes hold characters. The marks around show order and composition."""
    every = [chr(c) for c in [*range(0xD800), *range(0xE000, 0x34000), *range(0xE0000, 0xE0200)]]
    texts = [" ".join(f"!{c}{c} a\u0345{c}\u0323" for c in every[i : i + 50]) for i in range(0, len(every), 50)]
    assert differences(clip_folder, CLIPTokenizer.from_pretrained(clip_folder), texts, tmp_path, framed=0) == []


def trained_entries():
    """A vocabulary like the demo world's: few bytes, every word of a small grammar one entry."""
    letters = "abcdefghijklmnopqrstuvwxyz0123456789,.-!?'"
    words = sorted({word.lower() for word in WORDS if word.isascii() and set(word.lower()) <= set(letters)})
    entries = [*letters, *(letter + "</w>" for letter in letters)]
    merges, spelled = [], [[*word[:-1], word[-1] + "</w>"] for word in words]
    while True:
        counts = {}
        for word in spelled:
            for pair in zip(word, word[1:]):
                counts[pair] = counts.get(pair, 0) + 1
        if not counts:
            break
        merges.append(max(sorted(counts), key=counts.get))
        for word in spelled:
            for i in range(len(word) - 1, 0, -1):
                if tuple(word[i - 1 : i + 1]) == merges[-1]:
                    word[i - 1 : i + 1] = ["".join(merges[-1])]
    return list(dict.fromkeys([*entries, *(a + b for a, b in merges), BOS, EOS])), merges


def test_small_vocabulary(tmp_path):
    folder = write_folder(tmp_path / "small", *trained_entries())
    texts = make_texts(20_000, seed=3)
    assert differences(folder, CLIPTokenizer.from_pretrained(folder), texts, tmp_path) == []


@pytest.mark.parametrize("seed", range(20))
def test_vocabularies_no_training_would_give(seed, tmp_path):
    """Random merges: entries that cannot be reached, several merges for one entry, entries without a merge."""
    rng = random.Random(seed)
    entries = ["a", "b", "c", "a</w>", "b</w>"] + ["c</w>"] * (seed % 2)
    merges = []
    for _ in range(rng.randint(5, 60)):
        left = rng.choice([entry for entry in entries if not entry.endswith("</w>")])
        right = rng.choice(entries)
        if len(left + right) < 12 and (left, right) not in merges:
            merges.append((left, right))
            entries = list(dict.fromkeys([*entries, left + right]))
    rng.shuffle(merges)
    entries = list(dict.fromkeys([BOS, *entries, "abcabc", "cab</w>", EOS]))
    folder = write_folder(tmp_path / "random", entries, merges)
    texts = ["".join(rng.choices("abc d", [5, 5, 5, 1, 1], k=rng.randint(1, 30))) for _ in range(1000)]
    assert differences(folder, CLIPTokenizer.from_pretrained(folder), texts, tmp_path) == []


def token(content, **flags):
    return dict(content=content, lstrip=False, normalized=True, rstrip=False, single_word=False) | flags


def typed(content):
    return {"__type": "AddedToken"} | token(content)


SD_1_CONFIG = dict(bos_token=typed(BOS), eos_token=typed(EOS), unk_token=typed(EOS), pad_token=EOS, model_max_length=77,
                   do_lower_case=True, errors="replace", add_prefix_space=False, tokenizer_class="CLIPTokenizer")
SD_1_MAP = dict(bos_token=token(BOS), eos_token=token(EOS), unk_token=token(EOS), pad_token=EOS)
SD_2_MAP = SD_1_MAP | dict(pad_token="!")
PLAIN = dict(bos_token=BOS, eos_token=EOS, unk_token=EOS, pad_token="!", model_max_length=77, tokenizer_class="CLIPTokenizer")
DECODER = {"0": token("!", special=True, normalized=False), "49406": token(BOS, special=True), "49407": token(EOS, special=True)}


@pytest.mark.parametrize("config, special_map", [
    (SD_1_CONFIG, SD_1_MAP), (SD_1_CONFIG, None), (SD_1_CONFIG, SD_2_MAP), (SD_1_CONFIG | dict(pad_token="!"), SD_1_MAP),
    (None, SD_2_MAP), (PLAIN, None), (PLAIN | dict(added_tokens_decoder=DECODER), SD_1_MAP)])
def test_special_tokens_of_configuration_files(config, special_map, tmp_path):
    entries, merges = clip_entries()
    folder = write_folder(tmp_path / "folder", entries, merges, config, special_map)
    rng = random.Random(4)
    texts = SPECIALS + ["".join(rng.choices(SPECIALS + ["a", " ", "hi", "İ"], k=rng.randint(1, 8))) for _ in range(2000)]
    assert differences(folder, CLIPTokenizer.from_pretrained(folder), texts, tmp_path) == []


def test_folder_saved_by_transformers_5(tmp_path):
    entries, merges = trained_entries()
    tokenizer = CLIPTokenizer.from_pretrained(write_folder(tmp_path / "old", entries, merges, SD_1_CONFIG, SD_1_MAP))
    tokenizer.save_pretrained(tmp_path / "new")
    assert not (tmp_path / "new" / "vocab.json").exists()
    tokenizer = CLIPTokenizer.from_pretrained(tmp_path / "new")
    assert differences(tmp_path / "new", tokenizer, make_texts(2000, seed=5), tmp_path) == []


WORDS = ["<cat>", "my-dog", "<Cat>"]  # a textual-inversion word, one without brackets, one with a capital


def added_files(source, first):
    """Files that declare words of textual inversion, each as some tool writes it."""
    plain = {str(first): token(WORDS[0]), str(first + 1): token(WORDS[1], special=True, normalized=False)}
    return {
        "added_tokens.json": {"added_tokens.json": {WORDS[1]: first + 1, WORDS[0]: first}},
        "additional_special_tokens": {"special_tokens_map.json": SD_1_MAP | dict(additional_special_tokens=[WORDS[2], WORDS[1]])},
        "both": {"special_tokens_map.json": SD_1_MAP | dict(additional_special_tokens=WORDS[:1]), "added_tokens.json": {WORDS[0]: first}},
        "decoder": {"tokenizer_config.json": PLAIN | dict(added_tokens_decoder=DECODER | plain)},
    }[source]


@pytest.mark.parametrize("source", ["added_tokens.json", "additional_special_tokens", "both", "decoder"])
def test_added_words_are_one_id(source, tmp_path):
    entries, merges = clip_entries()
    folder = write_folder(tmp_path / "folder", entries, merges, SD_1_CONFIG, SD_1_MAP)
    for name, content in added_files(source, len(entries)).items():
        (folder / name).write_text(json.dumps(content))
    tokenizer = CLIPTokenizer.from_pretrained(folder)
    assert len(tokenizer) > len(entries)
    rng = random.Random(6)
    texts = ["a photo of <cat>", "MY-DOG and my-dogs", "<CAT><cat> <Cat>"]
    texts += ["".join(rng.choices(WORDS + SPECIALS + ["a", " ", "  ", "hi", "İ", "<", "cat"], k=rng.randint(1, 9))) for _ in range(2000)]
    assert differences(folder, tokenizer, texts, tmp_path) == []


def test_added_words_of_a_folder_saved_by_transformers_5(tmp_path):
    entries, merges = trained_entries()
    tokenizer = CLIPTokenizer.from_pretrained(write_folder(tmp_path / "old", entries, merges, SD_1_CONFIG, SD_1_MAP))
    assert tokenizer.add_tokens(WORDS[:2]) == 2
    tokenizer.save_pretrained(tmp_path / "new")
    tokenizer = CLIPTokenizer.from_pretrained(tmp_path / "new")
    texts = make_texts(500, seed=7) + ["a photo of <cat>", "MY-DOG and my-dogs", "<CAT><cat>"]
    assert differences(tmp_path / "new", tokenizer, texts, tmp_path) == []


@pytest.mark.parametrize("normalized", [False, True])
def test_words_that_stand_alone(normalized, tmp_path):
    """A token with single_word is none inside other words, in whatever letters."""
    entries, merges = clip_entries()
    tokenizer = CLIPTokenizer.from_pretrained(write_folder(tmp_path / "old", entries, merges, SD_1_CONFIG, SD_1_MAP))
    tokenizer.add_tokens([AddedToken("sw", single_word=True, normalized=normalized), AddedToken("swan", normalized=normalized),
                          AddedToken("w", single_word=True, normalized=normalized)])
    tokenizer.save_pretrained(tmp_path / "new")
    tokenizer = CLIPTokenizer.from_pretrained(tmp_path / "new")
    rng = random.Random(8)
    beside = [" ", ".", "-", "_", "a", "7", "é", "\u0301", "中", "\u200d", "Ⓐ", "Ⅷ", "½", "²", "ª", "€", "<", "an", "\u203f", "🄰"]
    texts = ["swim", "asw", "sw", "a sw.", "swan swans", "sw_", "swsw"]
    texts += ["".join(rng.choices(["sw", "w", "SW"] + beside, k=rng.randint(1, 7))) for _ in range(2000)]
    assert differences(tmp_path / "new", tokenizer, texts, tmp_path) == []
