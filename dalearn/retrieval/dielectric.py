"""Dielectric constant of wet soil between 4 and 6 GHz (Hallikainen et al. 1985, doi:10.1109/TGRS.1985.289497, table 2).

With the sand S and clay C in % of the mass and the moisture mv in m3 m-3, at each frequency of the table::

    eps = (a0 + a1 S + a2 C) + (b0 + b1 S + b2 C) mv + (c0 + c1 S + c2 C) mv^2

for the real and for the imaginary part; between the frequencies the result is interpolated linearly.
"""

import torch
from torch import Tensor

# GHz -> (a0, a1, a2), (b0, b1, b2), (c0, c1, c2) of the real and of the imaginary part
TABLE = {
    4.0: (
        ((2.927, -0.012, -0.001), (5.505, 0.371, 0.062), (114.826, -0.389, -0.547)),
        ((0.004, 0.001, 0.002), (0.951, 0.005, -0.010), (16.759, 0.192, 0.290)),
    ),
    6.0: (
        ((1.993, 0.002, 0.015), (38.086, -0.176, -0.633), (10.720, 1.256, 1.522)),
        ((-0.123, 0.002, 0.003), (7.502, -0.058, -0.116), (2.942, 0.452, 0.543)),
    ),
}


def soil_dielectric(
    moisture: Tensor, sand: float | Tensor = 40.0, clay: float | Tensor = 20.0, frequency: float = 5.405
) -> Tensor:
    """Complex dielectric constant, loss as a positive imaginary part, of ``moisture`` (m3 m-3).

    ``sand`` and ``clay`` in %, which broadcast with it; ``frequency`` in GHz.  Raises ``ValueError`` outside 4 to 6.
    """
    low, high = TABLE
    if not low <= frequency <= high:
        raise ValueError(
            f"the dielectric constant of soil is tabulated from {low:g} to {high:g} GHz, not {frequency:g}"
        )
    share = (frequency - low) / (high - low)
    parts = [
        (1.0 - share) * _polynomial(TABLE[low][part], moisture, sand, clay)
        + share * _polynomial(TABLE[high][part], moisture, sand, clay)
        for part in (0, 1)
    ]
    return torch.complex(parts[0], parts[1].clamp(min=0.0))


def _polynomial(rows: tuple, moisture: Tensor, sand: float | Tensor, clay: float | Tensor) -> Tensor:
    constant, linear, square = (row[0] + row[1] * sand + row[2] * clay for row in rows)
    return constant + (linear + square * moisture) * moisture
