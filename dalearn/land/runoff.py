"""Surface runoff before infiltration (isba_physics.md 5.8).

Where it rains harder than the soil takes up water there is Horton runoff, where the soil is saturated Dunne
runoff.  The saturated part of the column comes from the variable infiltration capacity scheme (CRUNOFF='DT92')
or from the topography (CRUNOFF='SGH', see ``topmodel``).
"""

import math

import torch
from torch import Tensor

from dalearn.constants import DENSITY_WATER, MINIMUM_SOIL_MOISTURE
from dalearn.land.state import SoilParameters

RUNOFF_SCHEMES = ("WSAT", "DT92", "SGH")
HORTON_DEPTH = 0.1  # m
ICE_IMPEDANCE = 6.0
SMALL_CELL = 15.0  # km; rain covers the whole of a smaller cell
SECONDS_PER_HOUR = 3600.0


def rain_fraction(rainfall: Tensor, cell_size: Tensor | None = None) -> Tensor:
    """Part of the cell that the rain reaches, mu of CRAIN='SGH' (``(column,)``, 0..1).

    Args:
        rainfall: on the cell during the step, kg m-2 s-1.
        cell_size: square root of the area of the cell, km; None for less than 15 km everywhere.
    """
    whole = torch.ones_like(rainfall)
    if cell_size is not None:
        scale = 0.2 + 0.5 * torch.exp(-0.01 * cell_size)
        partial = -torch.expm1(-scale * rainfall * SECONDS_PER_HOUR)
        whole = torch.where(cell_size >= SMALL_CELL, partial, whole)
    return torch.where(rainfall > 0.0, whole, 0.0)


def infiltration_capacity(moisture: Tensor, ice: Tensor, soil: SoilParameters) -> Tensor:
    """Largest infiltration I_m of the first 0.1 m after Green and Ampt, kg m-2 s-1, ``(column,)``.

    ``moisture``, ``ice`` at step start, ``(layer, column)`` m3 m-3.
    """
    thickness = soil.layer_thickness
    top = torch.cat([torch.zeros_like(thickness[:1]), soil.layer_bottom[:-1]], dim=0)
    weight = torch.where((top < HORTON_DEPTH) & soil.holds_water, thickness, 0.0)
    capacity = torch.clamp(soil.porosity - ice, min=MINIMUM_SOIL_MOISTURE)
    total = torch.clamp(moisture + ice, min=MINIMUM_SOIL_MOISTURE)
    impedance = torch.exp(-ICE_IMPEDANCE * math.log(10.0) * ice / total)
    saturation = torch.clamp(moisture / capacity, max=1.0)
    suction = soil.retention_exponent * soil.saturated_potential * (saturation - 1.0) / thickness
    layers = impedance * soil.saturated_conductivity * (suction + 1.0)
    return DENSITY_WATER * (weight * layers).sum(dim=0) / weight.sum(dim=0)


def horton_runoff(
    throughfall: Tensor, melt: Tensor, capacity: Tensor, *, saturated: Tensor, rain_fraction: Tensor | None = None
) -> Tensor:
    """Runoff of water that arrives faster than the soil takes it up (CHORT='SGH'), kg m-2 s-1, ``(column,)``.

    Args:
        throughfall: water from rain and canopy, may be negative, kg m-2 s-1.
        melt: water leaving the snow, kg m-2 s-1.
        capacity: ``infiltration_capacity``, kg m-2 s-1.
        saturated: fraction of the column that is saturated, which has Dunne runoff instead.
        rain_fraction: part of the cell that the rain reaches, over which it is exponentially distributed
            (CRAIN='SGH'); None for even rain.
    """
    if rain_fraction is None:
        of_rain = torch.clamp(throughfall - capacity, min=0.0)
    else:
        falls = throughfall > 0.0
        rain = torch.where(falls, throughfall, 1.0)
        of_rain = torch.where(falls, rain * rain / (capacity * rain_fraction + rain), 0.0)
    return (1.0 - saturated) * (of_rain + torch.clamp(melt - capacity, min=0.0))


def saturated_fraction(moisture: Tensor, ice: Tensor, soil: SoilParameters, *, exponent: float) -> Tensor:
    """Saturated part of the column in the variable infiltration capacity scheme, ``(column,)``; see
    ``dunne_runoff``."""
    weight = soil.runoff_depth_weight
    total = (weight * torch.where(soil.holds_water, moisture + ice, 0.0)).sum(dim=0)
    wilting = (weight * soil.wilting_point).sum(dim=0)
    wetness = (total - wilting) / ((weight * soil.porosity).sum(dim=0) - wilting)
    dryness = 1.0 - torch.clamp(wetness, min=0.0, max=1.0)
    dry = dryness > 0.0
    power = exponent / (exponent + 1.0)
    return 1.0 - torch.where(dry, torch.exp(power * torch.log(torch.where(dry, dryness, 1.0))), 0.0)


def dunne_runoff(
    water_input: Tensor, moisture: Tensor, ice: Tensor, soil: SoilParameters, *, exponent: float, time_step: float
) -> Tensor:
    """Saturation-excess runoff of the variable infiltration capacity scheme (CRUNOFF='DT92'), kg m-2 s-1.

    Args:
        water_input: water reaching the ground, kg m-2 s-1, ``(column,)``.
        moisture, ice: at step start, ``(layer, column)`` m3 m-3.
        exponent: B, the shape of the distribution of storage capacity (XUNIF_RUNOFFB).

    Moisture and porosity are means over the runoff depth; ``soil.runoff_depth_weight`` holds the weights.
    """
    weight = soil.runoff_depth_weight
    porosity = (weight * soil.porosity).sum(dim=0)
    wilting = (weight * soil.wilting_point).sum(dim=0)
    total = (weight * torch.where(soil.holds_water, moisture + ice, 0.0)).sum(dim=0)
    return dunne_runoff_of_means(
        water_input, total, porosity, wilting, runoff_depth(soil), exponent=exponent, time_step=time_step
    )


def runoff_depth(soil: SoilParameters) -> Tensor:
    """Depth over which moisture is averaged, ``(column,)`` m."""
    return (soil.layer_thickness * (soil.runoff_depth_weight > 0.0)).sum(dim=0)


def surface_runoff(
    throughfall: Tensor,
    melt: Tensor,
    moisture: Tensor,
    ice: Tensor,
    soil: SoilParameters,
    *,
    scheme: str,
    exponent: float,
    time_step: float,
    horton: bool = False,
    rain_fraction: Tensor | None = None,
    saturated: Tensor | None = None,
) -> Tensor:
    """Horton and Dunne runoff of one step, kg m-2 s-1, ``(column,)``.

    Args:
        throughfall: water from rain and canopy, may be negative, kg m-2 s-1.
        melt: water leaving the snow, kg m-2 s-1.
        moisture, ice: at step start, ``(layer, column)`` m3 m-3.
        scheme: CRUNOFF, one of ``RUNOFF_SCHEMES``.
        exponent: B of DT92.
        horton: CHORT='SGH'.
        rain_fraction: part of the cell that the rain reaches (CRAIN='SGH'); None for even rain.
        saturated: saturated fraction of the column, needed for scheme "SGH".

    There is none where the total input is negative.  Horton runoff treats frozen soil explicitly, so ice no
    longer counts in the saturated fraction then.
    """
    total = throughfall + melt
    counted = torch.zeros_like(ice) if horton else ice
    if scheme == "DT92":
        saturated = saturated_fraction(moisture, counted, soil, exponent=exponent)
    elif scheme == "WSAT":
        saturated = torch.zeros_like(total)
    assert saturated is not None
    of_intensity = torch.zeros_like(total)
    if horton:
        capacity = infiltration_capacity(moisture, ice, soil)
        of_intensity = horton_runoff(throughfall, melt, capacity, saturated=saturated, rain_fraction=rain_fraction)
    of_saturation = torch.zeros_like(total)
    if scheme == "DT92":
        of_saturation = dunne_runoff(
            total - of_intensity, moisture, counted, soil, exponent=exponent, time_step=time_step
        )
    elif scheme == "SGH":
        of_saturation = torch.clamp(total, min=0.0) * saturated
    return torch.where(total < 0.0, 0.0, of_intensity + of_saturation)


def dunne_runoff_of_means(
    water_input: Tensor,
    total_water: Tensor,
    porosity: Tensor,
    wilting_point: Tensor,
    depth: Tensor,
    *,
    exponent: float,
    time_step: float,
) -> Tensor:
    """The same from means over the runoff depth (m3 m-3, m)."""
    total = torch.minimum(total_water, porosity)
    room = porosity - wilting_point
    wet = (total > wilting_point) & (water_input > 0.0)
    added = torch.clamp(water_input, min=0.0) * time_step / (DENSITY_WATER * depth)
    dryness = torch.clamp(1.0 - (total - wilting_point) / room, min=0.0, max=1.0)
    has_room = dryness > 0.0
    root = torch.where(has_room, torch.exp(torch.log(torch.where(has_room, dryness, 1.0)) / (1.0 + exponent)), 0.0)
    left = torch.clamp(root - added / ((1.0 + exponent) * room), min=0.0)
    remains = left > 0.0
    unfilled = torch.where(remains, torch.exp(torch.log(torch.where(remains, left, 1.0)) * (1.0 + exponent)), 0.0)
    runoff = torch.clamp(added - (porosity - total) + room * unfilled, min=0.0)
    runoff = runoff * depth * DENSITY_WATER / time_step
    return torch.where(wet & (runoff < water_input), runoff, 0.0)
