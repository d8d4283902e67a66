"""Damages as they happen, and as somebody would make them: bits, lengths, cuts, repeats, numbers at their limits."""
import re
import struct

EXTREMES = [0, 1, -1, 127, 255, 2**15, 2**16 - 1, 2**31 - 1, 2**31, 2**32 - 1, 2**62, 2**63 - 1, 2**63, 2**64 - 1]
WORDS = [b"-1", b"0", b"1e999", b"-1e-320", b"nan", b"9223372036854775807", b"18446744073709551616", b"1000000000", b"null", b"true",
         b'""', b"{}", b"[]", b"[[[[[[[[", b'"\\ud800"', b'"' + b"x" * 5000 + b'"', b"{" * 3000, b"[" * 100000, b"\0", b"\xff\xfe", b"\xef\xbb\xbf",
         b"1" * 400, b'{"a":' * 200, b",,,,", b";", b"\r", b"\n\n", b"\x1b[2J", b"'", b'"']


def bits(data, rng):
    at = rng.randrange(len(data))
    return data[:at] + bytes([data[at] ^ 1 << rng.randrange(8)]) + data[at + 1:]


def byte(data, rng):
    at = rng.randrange(len(data))
    return data[:at] + bytes([rng.choice([0, 1, 0x7f, 0x80, 0xff, rng.randrange(256)])]) + data[at + 1:]


def number(data, rng):
    """A little- or big-endian integer at its limits."""
    form = rng.choice("<>") + rng.choice("HIQ")
    size = struct.calcsize(form)
    if len(data) < size:
        return data
    at = rng.randrange(len(data) - size + 1)
    return data[:at] + struct.pack(form, rng.choice(EXTREMES) % 2 ** (8 * size)) + data[at + size:]


def cut(data, rng):
    return data[:rng.randrange(len(data))]


def left_out(data, rng):
    at = rng.randrange(len(data))
    return data[:at] + data[at + rng.choice([1, 4, 8, 100]):]


def repeated(data, rng):
    at = rng.randrange(len(data))
    size = rng.choice([1, 8, 64, 1000])
    return data[:at] + data[at:at + size] * rng.choice([2, 3, 50]) + data[at + size:]


def inserted(data, rng):
    at = rng.randrange(len(data) + 1)
    return data[:at] + rng.choice([rng.randbytes(rng.choice([1, 8, 100])), rng.choice(WORDS)]) + data[at:]


def word(data, rng):
    """One word or number of a text by another."""
    words = list(re.finditer(rb'"[^"\n]*"|-?\d[\d.eE+-]*|\w+', data[:200000]))
    if not words:
        return inserted(data, rng)
    found = rng.choice(words)
    return data[:found.start()] + rng.choice(WORDS) + data[found.end():]


def swapped(data, rng):
    """Two words of a text change places."""
    words = list(re.finditer(rb'"[^"\n]*"|-?\d[\d.eE+-]*', data[:200000]))
    if len(words) < 2:
        return byte(data, rng)
    a, b = sorted(rng.sample(words, 2), key=lambda match: match.start())
    return data[:a.start()] + b[0] + data[a.end():b.start()] + a[0] + data[b.end():]


BINARY = [bits, byte, number, cut, left_out, repeated, inserted, number, word]
TEXT = [word, word, word, swapped, byte, cut, left_out, repeated, inserted]


def mutated(data, rng, text):
    """One to three damages; half of those of binary files in the first kilobyte, where the structure is."""
    for _ in range(rng.choice([1, 1, 2, 3])):
        damage = rng.choice(TEXT if text else BINARY)
        if not text and len(data) > 2048 and rng.random() < 0.5:
            data = damage(data[:1024], rng) + data[1024:]
        else:
            data = damage(data, rng)
        if not data:
            return b""
    return data
