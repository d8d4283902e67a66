"""A tiny random world for the commands that need a model and a space."""
from dataclasses import dataclass
from pathlib import Path

import pytest

from parity.tiny_models import SHAPES, make_pipeline, save
from parity.tiny_spaces import TinySpace, make_space


@dataclass
class World:
    model: Path
    folder: Path  # of the space
    space: TinySpace

    @property
    def options(self):
        return "--model", self.model, "--space", self.folder, "--steps", 2


@pytest.fixture(scope="session")
def world(tmp_path_factory):
    root = tmp_path_factory.mktemp("world")
    pipeline = make_pipeline(SHAPES["demo"])
    space = make_space(pipeline.unet)
    return World(save(pipeline, SHAPES["demo"], root / "model"), space.save_compact(root / "space"), space)
