"""Models for the parity tests: made once a session, random but seeded."""
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from diffusers import StableDiffusionPipeline

from parity.tiny_models import SHAPES, Shape, make_pipeline, save

torch.set_grad_enabled(False)


@dataclass
class Model:
    name: str
    shape: Shape
    folder: Path
    pipeline: StableDiffusionPipeline


@pytest.fixture(scope="session")
def models(tmp_path_factory):
    """models(NAME): the tiny model of that shape, as a pipeline and as a folder on disk."""
    made = {}

    def get(name):
        if name not in made:
            shape = SHAPES[name]
            pipeline = make_pipeline(shape)
            pipeline.set_progress_bar_config(disable=True)
            made[name] = Model(name, shape, save(pipeline, shape, tmp_path_factory.mktemp("model") / name), pipeline)
        return made[name]

    return get
