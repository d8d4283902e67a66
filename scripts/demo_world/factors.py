"""Who people are: identity factors in [0, 1], and the nuisance of one picture.

The factors are drawn almost independently, so that a direction found for one of them
does not carry another along. Rare values (glasses, beards, grey hair) are kept frequent.
"""
import numpy as np

FACTORS = ("male skin age hair_light hair_red grey hair_length bald curly fringe "
           "face_width jaw eye_size eye_gap eye_colour brow tilt nose mouth lips "
           "glasses beard moustache").split()
INDEX = {name: i for i, name in enumerate(FACTORS)}

# How much pictures of one person differ in pose, and scenes of one kind in layout; 1 is lively. Small values make
# a world that a small computer can learn in an hour.
POSE, LAYOUT = .2, .15

SCENES = ["plain", "beach", "snow", "forest", "night", "city", "red", "blue", "green", "yellow"]


def sample_people(n, rng):
    """n identities as an [n, len(FACTORS)] float32 array."""
    u = lambda: rng.random(n)
    around = lambda centre, spread: np.clip(rng.normal(centre, spread, n), 0, 1)
    male = (u() < .5).astype(float)
    skin = u()
    # Correlations are deliberate only where pictures would look wrong without them.
    hair_light = np.clip(u() * (1.15 - .55 * skin), 0, 1)
    is_red = u() < .16
    hair_red = np.where(is_red, .7 + .3 * u(), .15 * u())
    hair_light = np.where(is_red, .25 + .6 * u(), hair_light)
    age = u()
    grey = np.where(u() < .12 + .25 * age, .75 + .25 * u(), .12 * u())
    bald = (u() < .08 + .14 * male).astype(float)
    hair_length = np.where(u() < .5 + .3 * (male - .5) * 2, .05 + .3 * u(), .55 + .4 * u())
    beard = np.where(u() < .10 + .28 * male, .75 + .25 * u(), 0)
    moustache = (u() < .10 + .2 * male).astype(float)
    values = dict(
        male=male, skin=skin, age=age, hair_light=hair_light, hair_red=hair_red, grey=grey,
        hair_length=hair_length, bald=bald, curly=(u() < .3).astype(float), fringe=u(),
        face_width=around(.5, .26), jaw=around(.45 + .1 * male, .26),
        eye_size=around(.53, .26), eye_gap=around(.5, .26), eye_colour=u(),
        brow=around(.4 + .15 * male, .27), tilt=around(.5, .27), nose=around(.48, .27),
        mouth=around(.5, .27), lips=around(.55 - .15 * male, .26),
        glasses=(u() < .33).astype(float), beard=beard, moustache=moustache)
    return np.stack([values[name] for name in FACTORS], 1).astype(np.float32)


def sample_nuisance(n, rng, plain=False, scene_share=.55):
    """What changes from picture to picture of one person. plain: no scene, no hat, no smile."""
    normal = lambda s, limit: rng.normal(0, s, n).clip(-limit, limit)
    smile = np.where(rng.random(n) < .3, rng.uniform(.8, 1, n), rng.uniform(-.1, .2, n))
    hat = (rng.random(n) < .12).astype(float)
    scene = np.where(rng.random(n) < scene_share, rng.integers(1, len(SCENES), n), 0)
    seed = rng.integers(0, 1 << 30, n)
    if plain:
        smile, hat, scene = rng.uniform(-.1, .2, n), np.zeros(n), np.zeros(n, int)
    pose = lambda s, limit: POSE * normal(s, limit)
    small = dict(dx=pose(.025, .06), dy=pose(.018, .045), rot=pose(.045, .10), scale=1 + pose(.02, .05),
                 light=rng.uniform(1 - 2 * POSE, 1, n), smile=smile, hat=hat,
                 cloth=rng.random((n, 3)), background=rng.random((n, 3)))
    nuisance = {k: np.asarray(v, np.float32) for k, v in small.items()}
    return dict(nuisance, scene=scene, seed=seed)


def take(nuisance, index):
    """The nuisance of some of the pictures."""
    return {k: v[index] for k, v in nuisance.items()}
