"""Contact sheets."""
import numpy as np
from PIL import Image


def sheet(images, columns, path, scale=1, gap=2):
    """Writes [N, 3, H, W] pictures in [0, 1] row by row into one PNG."""
    pixels = (images.float().clamp(0, 1) * 255).round().byte().permute(0, 2, 3, 1).numpy()
    n, h, w, _ = pixels.shape
    rows = -(-n // columns)
    page = np.full((rows * (h + gap) + gap, columns * (w + gap) + gap, 3), 255, np.uint8)
    for i in range(n):
        top, left = gap + i // columns * (h + gap), gap + i % columns * (w + gap)
        page[top:top + h, left:left + w] = pixels[i]
    picture = Image.fromarray(page)
    picture.resize((picture.width * scale, picture.height * scale), Image.BICUBIC).save(path)
