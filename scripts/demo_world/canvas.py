"""A batch of pictures that shapes are painted on, analytically anti-aliased."""
import torch


def rgb(r, g, b):
    return torch.tensor((float(r), float(g), float(b))).div(255).view(1, 3, 1, 1)


def ramp(t, stops):
    """Colours [B, 3, 1, 1] at positions t in [0, 1] of a list of colour stops."""
    table = torch.tensor(stops, dtype=torch.float32) / 255
    at = t.view(-1).clamp(0, 1) * (len(stops) - 1)
    low = at.floor().clamp(max=len(stops) - 2).long()
    colour = torch.lerp(table[low], table[low + 1], (at - low)[:, None])
    return colour[:, :, None, None]


class Canvas:
    """Coordinates run over [-1, 1], y downwards; the face uses a slightly zoomed copy."""
    ZOOM, RAISE = 1.24, .03

    def __init__(self, batch, size):
        axis = (torch.arange(size) + .5) / size * 2 - 1
        y, x = torch.meshgrid(axis, axis, indexing="ij")
        self.x, self.y = x[None], y[None]
        self.face_x, self.face_y = self.x / self.ZOOM, self.y / self.ZOOM - self.RAISE
        self.pixel = 2.2 / size
        self.image = torch.zeros(batch, 3, size, size)

    def cover(self, distance):
        """How much of each pixel a shape covers."""
        return (.5 - distance / self.pixel).clamp(0, 1)

    def put(self, colour, alpha):
        alpha = alpha if alpha.dim() == 4 else alpha[:, None]
        self.image = self.image + (colour - self.image) * alpha
