"""Captions: a small grammar over the true factors of a picture.

    [a photo of] a [adjectives] person|man|woman [with attributes] [wearing a hat] [smiling] [scene]

Most captions name attributes, several degrees each: what the cross-attention learns to paint
from words is what the LoRAs later write into it. "sks" is a neutral word.
"""
import random

import numpy as np

from factors import INDEX, SCENES, sample_nuisance, sample_people

SCENE_WORDS = {"beach": "on the beach", "snow": "in the snow", "forest": "in the forest",
               "night": "at night", "city": "in the city"}
SCENE_WORDS |= {c: f"with a {c} background" for c in ("red", "blue", "green", "yellow")}

ALONE = .25  # share of the captions with attributes that name a single one


def degree(value, *words):
    """The word of the equal-width bin that holds value; None words say nothing."""
    return words[min(int(value * len(words)), len(words) - 1)]


def stretch(value, *limits):
    """The word of the first limit that value does not pass: bins where a stranger would put them."""
    return next(word for limit, word in limits if value <= limit or limit == 1)


def hair(g, r):
    words = []
    if r.random() < .6:
        words.append("long" if g("hair_length") > .5 else "short")
    if r.random() < .6:
        words.append("curly" if g("curly") > .5 else "straight")
    if r.random() < .9 or not words:
        colour = ("grey" if g("grey") > .5 else "red" if g("hair_red") > .5 else
                  stretch(g("hair_light"), (.18, "black"), (.33, "dark brown"), (.52, "brown"), (.64, "light brown"), (1, "blond")))
        words.append(colour)
    return " ".join(words) + " hair"


def details(g, r, p):
    """Phrases that follow "with", each with probability p (or more for the loud ones); the loud ones are never cut off."""
    likely, phrases = min(1, 1.5 * p), []
    say = lambda phrase, chance: phrases.append(phrase) if phrase and r.random() < chance else None
    if g("bald") < .5 and r.random() < likely:
        phrases.append(hair(g, r))
    say("glasses" if g("glasses") > .5 else None, likely)
    say("a beard" if g("beard") > .3 else None, likely)
    say("a moustache" if g("moustache") > .5 else None, likely)
    say(degree(g("skin"), "pale", "light", "tan", "brown", "dark") + " skin", likely)
    say(stretch(g("eye_colour"), (.36, "brown"), (.62, "green"), (1, "blue")) + " eyes", likely)
    for name, words, noun in (("eye_size", ("small", None, None, "big"), "eyes"),
                              ("brow", ("thin", None, None, "thick"), "brows"),
                              ("lips", ("thin", None, None, "full"), "lips")):
        word = degree(g(name), *words)
        say(word and f"{word} {noun}", .8 * p)
    for name, words, noun in (("nose", ("small", None, None, "big"), "nose"),
                              ("mouth", ("small", None, None, "wide"), "mouth"),
                              ("jaw", ("pointed", None, None, "square"), "chin"),
                              ("fringe", (None, None, "fringe"), "")):
        word = degree(g(name), *words)
        bald_fringe = name == "fringe" and g("bald") > .5
        say(None if bald_fringe else word and f"a {word} {noun}".strip(), .8 * p)
    phrases = phrases[:8]
    r.shuffle(phrases)
    return phrases


def adjectives(g, r, p):
    words = []
    if r.random() < min(1, 1.3 * p):
        words.append(stretch(g("age"), (.33, "young"), (.6, None), (.82, "old"), (1, "very old")))
    if r.random() < p:
        words.append(degree(g("face_width"), "thin", None, None, "chubby"))
    if g("bald") > .5 and r.random() < min(1, 1.6 * p):
        words.append("bald")
    return [w for w in words if w]


def caption(z, nuisance, i, r, attributes=.9, sks=.3):
    """One caption of picture i with identity z; r is a random.Random."""
    g = lambda name: z[INDEX[name]]
    words, phrases, noun = [], [], "person"
    if r.random() < attributes:
        p = r.choice((.35, .6, .9))
        words, phrases = adjectives(g, r, p), details(g, r, p)
        if r.random() < ALONE:  # one word and nothing else, as people ask
            one = r.choice([(w, None) for w in words] + [(None, q) for q in phrases] + [(None, None)])
            words, phrases = [w for w in one[:1] if w], [q for q in one[1:] if q]
        if r.random() < .7:
            noun = "man" if g("male") > .5 else "woman"
    if r.random() < sks:
        text = " ".join(["sks"] + words + [noun])
    else:
        text = " ".join(words + [noun])
        text = ("an " if text[0] in "aeiou" else "a ") + text
    if r.random() < .2:
        text = "a photo of " + text
    if phrases:
        text += " with " + (", ".join(phrases[:-1]) + " and " if phrases[1:] else "") + phrases[-1]
    return text + circumstances(nuisance["scene"][i], nuisance["hat"][i], nuisance["smile"][i], r)


def circumstances(scene, hat, smile, r):
    """The part of a caption that says nothing about who it is."""
    comma = lambda: r.choice((" ", ", "))
    text = comma() + "wearing a hat" if hat > .5 else ""
    text += comma() + "smiling" if smile > .5 else ""
    name = SCENES[scene]
    return text + (comma() + SCENE_WORDS[name] if name in SCENE_WORDS else "")


def corpus(n, seed):
    """n captions of random pictures."""
    rng, r = np.random.default_rng(seed), random.Random(seed)
    people, nuisance = sample_people(n, rng), sample_nuisance(n, rng)
    return [caption(people[i], nuisance, i, r) for i in range(n)]


if __name__ == "__main__":
    for line in corpus(16, 0):
        print(line)
