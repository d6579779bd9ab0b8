"""The domain of a run: altitude and land cover, Figure 1 of Corchia et al. (2023)."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from dalearn.evaluation.maps import MapPanel


@dataclass(frozen=True)
class Domain:
    """``altitude`` (cell,) m, None or NaN where unknown; ``cover`` name -> (cell,) fraction of the cell."""

    altitude: np.ndarray | None
    cover: Mapping[str, np.ndarray]


def domain_panels(domain: Domain) -> list[MapPanel]:
    """Altitude where it is known anywhere, then the land covers that occur, on one scale."""
    panels = []
    if domain.altitude is not None and np.isfinite(domain.altitude).any():
        panels.append(MapPanel("altitude", domain.altitude, "altitude (m)"))
    for name, fraction in domain.cover.items():
        if np.nanmax(fraction, initial=0.0) > 0:
            panels.append(MapPanel(name, fraction, "fraction of the cell", span=(0.0, 1.0)))
    return [
        MapPanel(f"{letter}) {panel.title}", panel.values, panel.label, span=panel.span)
        for letter, panel in zip("abcdefghij", panels, strict=False)
    ]
