"""Backgrounds: a plain wall, four flat colours, and five places. r holds random numbers per picture."""
import torch

import sdf
from canvas import Canvas, rgb
from factors import SCENES

FLAT = dict(red=(214, 58, 52), blue=(58, 104, 214), green=(66, 168, 82), yellow=(246, 204, 66))


def blend(a, b, t):
    return rgb(*a) * (1 - t[:, None]) + rgb(*b) * t[:, None]


def everywhere(c, colour):
    c.put(colour, torch.ones(len(c.image), *c.x.shape[1:]))


def flat(colour):
    def draw(c, r):
        light = 1.06 - .2 * (c.y + 1) / 2
        everywhere(c, rgb(*colour) * light[:, None] * (.94 + .12 * r[:, :1]))
    return draw


def beach(c, r):
    everywhere(c, blend((96, 184, 245), (206, 236, 252), (c.y + 1).clamp(0, 1)))
    horizon = .03 + .1 * (r[:, 0] - .5)
    c.put(rgb(32, 138, 190), c.cover(-(c.y - horizon) + 0 * c.x))
    c.put(rgb(120, 206, 214), c.cover(-(c.y - horizon - .22 - .02 * torch.sin(9 * c.x + 6 * r[:, 1]))))
    c.put(rgb(240, 214, 150), c.cover(-(c.y - horizon - .32 - .03 * torch.sin(5 * c.x + 6 * r[:, 2]))))
    side = -.78 + .12 * r[:, 4]  # always left: where noise may choose, a sky gets two
    c.put(rgb(255, 240, 150), c.cover(sdf.circle(c.x - side, c.y + .74, .15)))


def snow(c, r):
    everywhere(c, blend((150, 172, 204), (222, 232, 244), (c.y + 1) / 2))
    for j in range(4):
        trunk = -.95 + .6 * j + .25 * r[:, j]
        for tier in range(3):
            top = -.55 + .24 * tier + .15 * r[:, j + 4]
            tree = sdf.both((c.x - trunk).abs() * 1.6 - (c.y - top).clamp(min=-1) * .75, c.y - top - .38)
            c.put(rgb(70, 112, 104), c.cover(tree))
    c.put(rgb(246, 249, 255), c.cover(-(c.y - .28 - .06 * torch.sin(4 * c.x + 6 * r[:, 9]))))
    for j in range(10):
        flake = sdf.circle(c.x - (r[:, 10 + j] * 2 - 1), c.y - (r[:, 26 + j] * 1.5 - 1), .04)
        c.put(rgb(255, 255, 255), c.cover(flake))


def forest(c, r):
    everywhere(c, blend((176, 212, 128), (84, 140, 72), (c.y + 1) / 2))
    for j in range(5):
        trunk = (c.x + 1 - .5 * j - .25 * (r[:, j] - .5)).abs() - .06 - .03 * r[:, j + 5]
        c.put(rgb(104, 76, 50), c.cover(trunk + 0 * c.y))
    for j in range(9):
        crown = sdf.ellipse(c.x + 1 - .25 * j - .12 * r[:, j + 20], c.y + .95 - .2 * r[:, j + 24],
                            .26, .24 + .1 * r[:, j])
        c.put(rgb(46, 116, 54) * (.75 + .5 * r[:, j + 10:j + 11]), c.cover(crown))
    c.put(rgb(66, 110, 48), c.cover(-(c.y - .55 - .05 * torch.sin(6 * c.x + 6 * r[:, 3]))))


def night(c, r):
    everywhere(c, blend((18, 24, 70), (96, 84, 158), (c.y + 1) / 2))
    for j in range(12):
        star = sdf.circle(c.x - (r[:, j] * 2 - 1), c.y - (r[:, j + 14] * 1.3 - 1), .028)
        c.put(rgb(255, 250, 214), c.cover(star))
    side = .76 - .1 * r[:, 34]
    moon = sdf.circle(c.x - side, c.y + .72, .17)
    shadow = sdf.circle(c.x - side - .07, c.y + .76, .15)
    c.put(rgb(250, 240, 190), c.cover(sdf.both(moon, -shadow)))


def city(c, r):
    everywhere(c, blend((244, 190, 150), (250, 226, 196), (c.y + 1) / 2))
    for j in range(7):
        middle, top = -1 + .34 * j, -.75 + .75 * r[:, j]
        house = sdf.both((c.x - middle).abs() - .15, top - c.y)
        c.put(rgb(112, 122, 150) * (.7 + .5 * r[:, j + 8:j + 9]), c.cover(house))
        u, v = (c.x - middle) / .1, (c.y - top) / .18
        window = sdf.both((u - u.round()).abs() - .26, (v - v.floor() - .5).abs() - .24) * .1
        c.put(rgb(250, 232, 150), c.cover(sdf.both(window, house + .035)) * (r[:, j + 16] * .7 + .3))


PLACES = dict(beach=beach, snow=snow, forest=forest, night=night, city=city)
PLACES |= {name: flat(colour) for name, colour in FLAT.items()}


def draw(canvas, scene, wall, r):
    """Paints the background of every picture. scene [B] indices, wall [B, 3] random colours."""
    base = .62 + .22 * wall[:, :1] + (wall - .5) * .16
    everywhere(canvas, base[:, :, None, None] * (1.08 - .22 * (canvas.y + 1)[:, None] / 2))
    for name, paint in PLACES.items():
        chosen = (scene == SCENES.index(name)).nonzero().view(-1)
        if len(chosen):
            part = Canvas(len(chosen), canvas.image.shape[-1])
            paint(part, r[chosen])
            canvas.image[chosen] = part.image
