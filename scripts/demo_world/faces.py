"""Portraits: shapes painted back to front from the identity factors and the nuisance.

render(people, nuisance, size) gives [B, 3, size, size] in [0, 1]. Every function paints one
part of the picture; Sitter holds what several parts share.
"""
import numpy as np
import torch

import scenes
import sdf
from canvas import Canvas, ramp, rgb
from factors import FACTORS, LAYOUT

SKIN = [(255, 226, 206), (244, 200, 168), (222, 166, 122), (166, 112, 74), (104, 68, 46)]
HAIR = [(30, 24, 24), (74, 48, 34), (128, 84, 48), (206, 160, 88), (244, 214, 134)]
RED_HAIR = [(112, 36, 20), (150, 50, 24), (184, 70, 30), (212, 96, 44), (226, 126, 70)]
IRIS = [(70, 42, 26), (122, 80, 40), (96, 138, 74), (86, 150, 190), (70, 140, 226)]
SIDES = (-1, 1)


class Sitter:
    """Factors, colours and the coordinates that turn with the head."""

    def __init__(self, canvas, people, nuisance):
        b = len(people)
        table = torch.as_tensor(people, dtype=torch.float32)
        self.g = {name: table[:, i].view(b, 1, 1) for i, name in enumerate(FACTORS)}
        n = {k: torch.as_tensor(np.asarray(nuisance[k]), dtype=torch.float32).view(b, 1, 1)
             for k in ("dx", "dy", "rot", "scale", "light", "smile", "hat")}
        self.light, self.smile, self.hat = n["light"], n["smile"], n["hat"]
        self.colours(nuisance)
        # The head turns about the neck; the body follows half of the shift.
        x0, y0 = canvas.face_x - n["dx"], canvas.face_y - n["dy"] - .02
        cos, sin, yc = torch.cos(n["rot"]), torch.sin(n["rot"]), y0 - .5
        self.x = (x0 * cos + yc * sin) / n["scale"]
        self.y = (-x0 * sin + yc * cos) / n["scale"] + .5
        self.body_x, self.body_y = canvas.face_x - n["dx"] * .5, canvas.face_y - n["dy"] * .5
        self.measure()

    def colours(self, nuisance):
        g = self.g
        self.skin = ramp(g["skin"], SKIN)
        hair, red = ramp(g["hair_light"], HAIR), ramp(g["hair_light"], RED_HAIR)
        hair = torch.lerp(hair, red, ((g["hair_red"] - .25) / .4).clamp(0, 1)[:, None])
        self.hair = torch.lerp(hair, rgb(198, 198, 204), g["grey"].clamp(0, 1)[:, None] * .92)
        self.cloth = .18 + .62 * torch.as_tensor(nuisance["cloth"], dtype=torch.float32)[:, :, None, None]

    def measure(self):
        g, x, y = self.g, self.x, self.y
        self.face_w, self.face_h = .40 + .135 * g["face_width"], .54
        up = ((y + .02) / self.face_h).clamp(-1, 1.6)
        self.narrow = 1 - (.32 - .30 * g["jaw"]) * up.clamp(min=0) ** 1.5
        self.head = self.outline(0, 0)
        self.shade = 1 + .10 * self.light * x / .5
        self.has_hair = 1 - g["bald"]
        self.wobble = g["curly"] * (.032 * torch.sin(torch.atan2(y + .1, x) * 18) + .022)
        self.mouth_w = .095 + .085 * g["mouth"]
        self.eye_x, self.eye_y, self.eye_r = .158 + .072 * g["eye_gap"], -.045, .066 + .046 * g["eye_size"]

    def outline(self, grow_x, grow_y):
        """The head's outline, grown by so much."""
        power = 2 + .5 * self.g["jaw"]
        across = (self.x.abs() / (self.face_w * self.narrow + grow_x)).clamp(min=1e-4)
        along = ((self.y + .02).abs() / (self.face_h + grow_y)).clamp(min=1e-4)
        return (torch.sqrt(across ** power + along ** power) - 1) * .45

    def stripes(self, frequency, amount):
        return (1 + amount * torch.sin(self.x * frequency + 5 * torch.sin(self.y * 4 + 1)))[:, None]


def back_hair(c, s):
    length = s.g["hair_length"]
    width = s.face_w + .09 + .07 * s.g["curly"] + .03 * length
    s.hair_bottom, top = -.1 + 1.05 * length, -.64 - .03 * s.g["curly"]
    middle, half = (top + s.hair_bottom) / 2, (s.hair_bottom - top) / 2
    mass = sdf.box(s.x, s.y - middle, width, half, torch.minimum(width, half) * .92) - s.wobble
    c.put(s.hair * .72 * s.stripes(34, .06), c.cover(mass) * s.has_hair)


def body(c, s):
    x, y, male = s.body_x, s.body_y, s.g["male"]
    neck = sdf.box(x, y - .62, .15 + .06 * male + .03 * s.g["face_width"], .3, .08)
    c.put(s.skin * .80 * s.shade[:, None], c.cover(neck))
    shirt = sdf.ellipse(x, y - 1.22, .72 + .14 * male, .52)
    fold = (1.05 - .35 * (y - .7).clamp(0, 1)) * (1 + .12 * s.light * x)
    c.put(s.cloth * fold[:, None], c.cover(shirt))
    c.put(s.skin * .86, c.cover(sdf.ellipse(x, y - .70, .19, .13)))
    collar = sdf.ellipse(x, y - .70, .205, .15).abs() - .016
    c.put(s.cloth * .7, c.cover(collar) * c.cover(-(y - .72)))


def head(c, s):
    x, y = s.x, s.y
    for side in SIDES:
        c.put(s.skin * .88 * s.shade[:, None], c.cover(sdf.ellipse(x - side * (s.face_w + .005), y, .075, .115)))
        c.put(s.skin * .72, c.cover(sdf.ellipse(x - side * (s.face_w + .012), y, .035, .065)))
    shine = sdf.bump(x - .10 * s.light, y + .28, .08, .06)
    rim = torch.sigmoid((s.head + .05) / .035)
    tone = s.shade - .14 * rim + .07 * shine - .05 * ((y - .1) / .5).clamp(0, 1)
    s.on_head = c.cover(s.head)
    c.put(s.skin * tone[:, None], s.on_head)
    for side in SIDES:
        cheek = sdf.bump(x - side * s.face_w * .60, y - .17, .012, .012)
        c.put(s.skin * rgb(255, 176, 172), (.22 + .25 * (1 - s.g["male"])) * cheek * s.on_head)


def wrinkles(c, s):
    """Soft and broad: hair lines are lost in a latent of a quarter of the size, and come back as arcs anywhere."""
    x, y = s.x, s.y
    old = ((s.g["age"] - .30) / .6).clamp(0, 1) * s.on_head
    line = lambda d, k: c.put(s.skin * .62, torch.sigmoid((.010 - d) / .007) * k)
    for row in range(2):
        line((y + .335 + .085 * row).abs() + (x.abs() - .21 + .03 * row).clamp(min=0), old * .65)
    for side in SIDES:
        under = (y - s.eye_y - s.eye_r - .040 + .9 * (x - side * s.eye_x) ** 2).abs()
        line(under + ((x - side * s.eye_x).abs() - .075).clamp(min=0), old * .60)
        line(sdf.capsule(x, y, side * .135, .145, side * .185, .215, .004), old * .60)


def stubble(c, s):
    """What tells a shaven man from a woman: a shadow on chin and jaw."""
    chin = torch.sigmoid((s.y - .20) / .035) * torch.sigmoid(-(s.head + .02) / .02)
    c.put(s.skin * rgb(196, 196, 204), .55 * chin * s.g["male"] * s.on_head)


def beard(c, s):
    x, y = s.x, s.y
    edge = .13 + .15 * (1 - (x / s.face_w).abs().clamp(0, 1) ** 2)
    shape = sdf.both(s.outline(.018, .05), edge - y)
    strands = 1 + .07 * torch.sin(x * 44 + 3 * torch.sin(y * 14))
    c.put(s.hair * .80 * strands[:, None], torch.sigmoid(-shape / .012) * s.g["beard"].clamp(0, 1) * .96)


def nose(c, s):
    x, y, size = s.x, s.y, s.g["nose"]
    width, tip = .036 + .052 * size, .085 + .06 * size
    lit = torch.sign(s.light + 1e-6)
    bridge = sdf.capsule(x, y, width * .62 * lit, -.06, width * .9 * lit, tip - .01, .010)
    c.put(s.skin * .84, .40 * torch.sigmoid(-bridge / .012))
    c.put(s.skin * .84, .75 * c.cover(sdf.ellipse(x, y - tip, width * 1.25, .030 + .022 * size)))
    shine = sdf.bump(x + .012, y - tip + .022, .0011 + .002 * size, .0011 + .002 * size)
    c.put(s.skin * 1.08, .8 * shine)
    for side in SIDES:
        nostril = sdf.ellipse(x - side * width * .62, y - tip - .014, .016 + .008 * size, .012)
        c.put(s.skin * .46, .7 * c.cover(nostril))


def mouth(c, s):
    x, y, smile = s.x, s.y, s.smile
    lip = s.skin * rgb(210, 150, 146) + rgb(16, 0, 4) * s.g["lips"][:, None]
    lip = torch.lerp(lip, s.skin * rgb(214, 92, 104) + rgb(30, 0, 8), .8 * (1 - s.g["male"])[:, None])
    width = s.mouth_w + .045 * smile.clamp(min=0)
    thick, open_teeth = .017 + .040 * s.g["lips"], (smile > .5).float()
    level = .315 - smile * .085 * ((x / width) ** 2 - .45)
    profile = (1 - (x / width) ** 2).clamp(min=0)
    gap = .09 * (smile - .45).clamp(min=0) * profile ** .8
    s.lip_top = .315 - thick * .4
    upper = level - thick * .85 * profile.sqrt() * (1 - .25 * (-(x / .03) ** 2).exp())
    lower = level + thick * 1.1 * profile.sqrt() + gap
    c.put(lip, c.cover(sdf.both(upper - y, y - lower, x.abs() - width)))
    teeth = sdf.both(level + .002 - y, y - (level + gap - .002), x.abs() - width * .93)
    c.put(rgb(252, 250, 246), c.cover(teeth) * open_teeth)
    line = (y - level).abs() - .008 + (x.abs() - width).clamp(min=0)
    c.put(lip * .55, c.cover(line) * (1 - open_teeth))


def moustache(c, s):
    for side in SIDES:
        half = sdf.capsule(s.x, s.y, side * .03, s.lip_top - .066, side * (s.mouth_w + .012), s.lip_top - .026, .034)
        c.put(s.hair * .74, c.cover(half) * s.g["moustache"])


def eyes(c, s):
    iris, r = ramp(s.g["eye_colour"], IRIS), s.eye_r
    for side in SIDES:
        x, y = s.x - side * s.eye_x, s.y - s.eye_y
        low, high = sdf.circle(x, y + r * .42, r * 1.22), sdf.circle(x, y - r * .55, r * 1.30)
        white = sdf.both(low, high)
        c.put(s.skin * .86, .55 * c.cover(white - .028))
        inside = c.cover(white)
        c.put(rgb(252, 252, 250), inside)
        c.put(iris * .62, inside * c.cover(sdf.circle(x, y, r * .70)))
        c.put(iris * 1.12, inside * c.cover(sdf.circle(x, y - .006, r * .57)))
        c.put(rgb(16, 14, 16), inside * c.cover(sdf.circle(x, y, r * .28)))
        c.put(rgb(255, 255, 255), inside * c.cover(sdf.circle(x + r * .2, y + r * .22, r * .17)))
        female = 1 - s.g["male"]
        lid = sdf.both(high.abs() - .012 - .008 * female, low)
        c.put(rgb(40, 26, 24), c.cover(lid))
        lash = sdf.capsule(x, y, side * r * .85, -r * .42, side * r * 1.35, -r * .80, .014)
        c.put(rgb(40, 26, 24), c.cover(lash) * female)
        brow(c, s, side)


def brow(c, s, side):
    slant, level = (s.g["tilt"] - .5) * .13, -.175 - .045 * s.g["eye_size"]
    arc = .028 * (1 - ((s.x - side * s.eye_x) / .09) ** 2).clamp(min=-1)
    shape = sdf.capsule(s.x, s.y + arc, side * (s.eye_x - .085), level + .012 + slant * .5,
                        side * (s.eye_x + .095), level + .022 - slant * .5, .010 + .028 * s.g["brow"])
    c.put(s.hair * .62, c.cover(shape) * .95)


def front_hair(c, s):
    x, y, fringe, length = s.x, s.y, s.g["fringe"], s.g["hair_length"]
    cap = s.outline(.055 + .05 * s.g["curly"], .085 + .05 * s.g["curly"]) - s.wobble
    side = (x / s.face_w).abs().clamp(0, 1.15)
    hairline = -.40 + .23 * fringe + .33 * side ** (2.2 + 1.2 * fringe) + .04 * torch.sin(x * 7 + 1.2) * (1 - fringe)
    shape = sdf.both(cap, y - hairline, y - (.02 + .3 * length))
    c.put(s.hair * .60, c.cover(shape - .022) * s.has_hair * s.on_head * .45)
    glow = 1 + .22 * sdf.bump(x - .15 * s.light, y + .50 - .05 * s.light, .09, .006)
    tone = glow * (1 + .08 * s.light * x / .5)
    c.put(s.hair * s.stripes(30, .05) * tone[:, None], c.cover(shape) * s.has_hair)
    c.put(s.skin * 1.16, .55 * sdf.bump(x - .10 * s.light, y + .40, .02, .008) * s.on_head * s.g["bald"])
    strands = ((length - .38) / .15).clamp(0, 1) * s.has_hair
    for k in SIDES:
        lock = sdf.capsule(x, y, k * (s.face_w + .005), -.22, k * (s.face_w + .055), s.hair_bottom - .16,
                           .055 + .03 * s.g["curly"]) - s.wobble * .5
        c.put(s.hair * .92 * s.stripes(34, .06), c.cover(lock) * strands)


def glasses(c, s):
    x, y, on, radius = s.x, s.y, s.g["glasses"], .132
    centre, frame = s.eye_x.clamp(min=.165), rgb(34, 30, 40)
    for side in SIDES:
        lens = sdf.box(x - side * centre, y - s.eye_y - .005, radius, radius * .86, .085)
        c.put(rgb(225, 240, 250), c.cover(lens) * .16 * on)
        c.put(frame, c.cover(lens.abs() - .018) * on)
        arm = sdf.capsule(x, y, side * (centre + radius), -.07, side * (s.face_w + .01), -.085, .014)
        c.put(frame, c.cover(arm) * on)
    bridge = sdf.capsule(x, y, -(centre - radius), -.05, centre - radius, -.05, .016)
    c.put(frame, c.cover(bridge) * on)


def hat(c, s, r):
    """A beanie: a word, never part of who it is."""
    x, y, on = s.x, s.y, s.hat
    colour = torch.stack([.85 - .1 * r[:, 38], .20 + 0 * r[:, 38], .24 + .1 * r[:, 38]], 1)
    shape = sdf.both(sdf.box(x, y + .52, s.face_w + .12, .36, .30), y + .30)
    c.put(colour * (1 + .08 * torch.sin(x * 30) + .08 * s.light * x)[:, None], c.cover(shape) * on)
    c.put(colour * .72, c.cover(sdf.box(x, y + .335, s.face_w + .135, .075, .06)) * on)


def scene_numbers(seeds):
    """Forty numbers in [0, 1] per picture that lay out its scene: common ones, moved a little by its seed."""
    common = np.random.default_rng(7).random(40)
    own = np.stack([np.random.default_rng(int(seed)).random(40) for seed in seeds])
    numbers = np.clip(common + LAYOUT * (2 * own - 1), 0, 1)
    return torch.tensor(numbers, dtype=torch.float32)[:, :, None, None]


@torch.no_grad()
def render(people, nuisance, size=64):
    """Pictures [B, 3, size, size] in [0, 1]."""
    canvas = Canvas(len(people), size)
    r = scene_numbers(nuisance["seed"])
    scenes.draw(canvas, torch.as_tensor(nuisance["scene"]), torch.as_tensor(nuisance["background"]), r)
    sitter = Sitter(canvas, people, nuisance)
    for part in (back_hair, body, head, stubble, wrinkles, beard, nose, mouth, moustache, eyes, front_hair, glasses):
        part(canvas, sitter)
    hat(canvas, sitter, r)
    return canvas.image.clamp(0, 1)
