"""Signed distance functions on coordinate grids [B, S, S]: negative inside a shape."""
import torch

EPS = 1e-9


def ellipse(x, y, rx, ry):
    rx, ry = torch.as_tensor(rx), torch.as_tensor(ry)
    return (torch.sqrt((x / rx) ** 2 + (y / ry) ** 2 + EPS) - 1) * torch.minimum(rx, ry)


def circle(x, y, radius):
    return torch.sqrt(x ** 2 + y ** 2 + EPS) - radius


def capsule(x, y, ax, ay, bx, by, radius):
    """A thick segment from a to b."""
    px, py, qx, qy = x - ax, y - ay, bx - ax, by - ay
    along = ((px * qx + py * qy) / (qx * qx + qy * qy + EPS)).clamp(0, 1)
    return torch.sqrt((px - qx * along) ** 2 + (py - qy * along) ** 2 + EPS) - radius


def box(x, y, w, h, corner):
    """A rectangle of half sizes w, h with rounded corners."""
    qx, qy = x.abs() - w + corner, y.abs() - h + corner
    outside = torch.sqrt(qx.clamp(min=0) ** 2 + qy.clamp(min=0) ** 2 + EPS)
    return outside + torch.maximum(qx, qy).clamp(max=0) - corner


def both(*shapes):
    """The intersection."""
    out = shapes[0]
    for shape in shapes[1:]:
        out = torch.maximum(out, torch.as_tensor(shape))
    return out


def bump(x, y, wx, wy):
    """A soft spot of height 1."""
    return (-(x ** 2 / wx + y ** 2 / wy)).exp()
