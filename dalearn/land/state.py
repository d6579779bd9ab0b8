"""The values the land model works on: state, forcing, parameters, fluxes.

Every tensor has the column axis last: ``(column,)`` or ``(layer, column)`` with 14 layers, top first.
Soil layers below the water column of a column (``SoilParameters.holds_water`` false) carry a temperature
but no prognostic water; their soil moisture and ice are kept at finite values and never read.
"""

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from dalearn.land.snow_pack import SnowPack
from dalearn.tree import tensor_dataclass

SOIL_LAYERS = 14


@tensor_dataclass
class RootsAndWood:
    """Pools below the leaves and the passive structure, carried with photosynthesis NCB only (isba_ags.md 5.1).

    All ``(column,)``, kg m-2 of dry matter; wood stays 0 in herbaceous columns.
    """

    root_biomass: Tensor  # below-ground structure
    wood_biomass: Tensor  # above the ground
    root_wood_biomass: Tensor  # below the ground
    root_respiration: Tensor  # since the last daily update
    wood_respiration: Tensor  # above the ground, since the last daily update


@tensor_dataclass
class LandState:
    """Prognostic variables and memory of a column (isba_physics.md 1.7, isba_ags.md 9.1).

    ``soil_moisture`` is liquid water and ``soil_ice`` a liquid-water equivalent, both m3 m-3.  Columns
    without vegetation carry ``leaf_area_index`` 0 and biomass 0.
    """

    soil_temperature: Tensor  # (layer, column) K
    soil_moisture: Tensor  # (layer, column) m3 m-3
    soil_ice: Tensor  # (layer, column) m3 m-3
    intercepted_water: Tensor  # kg m-2
    aerodynamic_resistance: Tensor  # s m-1, of the last energy sub-step
    latent_heat_flux: Tensor  # W m-2, of the last step
    leaf_area_index: Tensor  # m2 m-2
    leaf_biomass: Tensor  # kg m-2 dry matter
    active_structural_biomass: Tensor  # kg m-2 dry matter
    passive_structural_biomass: Tensor  # kg m-2 dry matter
    daily_assimilation: Tensor  # kg m-2 CO2 since the last daily update
    maximum_leaf_assimilation: Tensor  # kg kg-1 m s-1, running daily maximum
    active_structural_respiration: Tensor  # kg m-2 dry matter since the last daily update
    passive_structural_respiration: Tensor  # kg m-2 dry matter since the last daily update
    snow: SnowPack | None = None  # None where the model has no snow scheme
    roots_and_wood: RootsAndWood | None = None  # None except with photosynthesis NCB


OPTIONAL_PARTS: dict[str, type[Any]] = {"snow": SnowPack, "roots_and_wood": RootsAndWood}


def state_from_fields(fields: Mapping[str, Tensor]) -> LandState:
    """The state made of named tensors; those of an optional part have dotted names (``snow.density``)."""
    parts: dict[str, Any] = {name: tensor for name, tensor in fields.items() if "." not in name}
    for part, kind in OPTIONAL_PARTS.items():
        members = {name.removeprefix(f"{part}."): t for name, t in fields.items() if name.startswith(f"{part}.")}
        parts[part] = kind(**members) if members else None
    return LandState(**parts)


@tensor_dataclass
class Forcing:
    """Atmosphere during one model step, at the start of the step; rain and snow of the whole step.

    All ``(column,)`` apart from the date.
    """

    air_temperature: Tensor  # K
    specific_humidity: Tensor  # kg kg-1
    surface_pressure: Tensor  # Pa
    wind_speed: Tensor  # m s-1
    shortwave_down: Tensor  # W m-2, direct + diffuse
    longwave_down: Tensor  # W m-2
    rainfall: Tensor  # kg m-2 s-1
    snowfall: Tensor  # kg m-2 s-1
    co2_concentration: Tensor  # kg m-3
    cosine_zenith: Tensor  # -, of the limited zenith angle (isba_physics.md 1.4)
    decade: int | None = None  # 0..35, of the date: three in a month; for albedo maps and prescribed leaf area


@tensor_dataclass
class SoilParameters:
    """Geometry, hydraulic and thermal parameters, all ``(layer, column)`` unless said otherwise."""

    layer_bottom: Tensor  # m
    layer_thickness: Tensor  # m
    node_distance: Tensor  # m, between mid-points of layers j and j+1; last: half the last thickness
    holds_water: Tensor  # bool, layers 1..n
    root_fraction: Tensor  # -, of each layer (not cumulative)
    porosity: Tensor  # w_sat, m3 m-3
    field_capacity: Tensor  # w_33, m3 m-3
    wilting_point: Tensor  # m3 m-3
    retention_exponent: Tensor  # b
    saturated_potential: Tensor  # psi_s, m (negative)
    saturated_conductivity: Tensor  # K_s, m s-1
    dry_conductivity: Tensor  # lam_dry, W m-1 K-1
    solid_conductivity: Tensor  # lam_s, W m-1 K-1
    runoff_depth_weight: Tensor  # dz overlap with the runoff depth divided by that depth (DT92), -
    moisture_range: Tensor  # (column,) w_fc - w_wilt of ldas_sekf.md eq. 4, m3 m-3


@tensor_dataclass
class VegetationParameters:
    """Patch parameters, all ``(column,)``; booleans are bool tensors (isba_ags.md 6, isba_physics.md 3)."""

    vegetated: Tensor  # bool
    is_crop: Tensor  # bool, veg = 1 - exp(-0.6 LAI)
    is_grass: Tensor  # bool, height = LAI / 6
    is_woody: Tensor  # bool, woody type fraction >= 0.5
    is_tropical_evergreen: Tensor  # bool, TRBE fraction > 0.8
    is_defensive: Tensor  # bool, drought strategy
    fixed_cover: Tensor  # veg of non-crop columns, -
    fixed_height: Tensor  # m, of trees, shrubs and bare types
    maximum_crop_height: Tensor  # m
    bare_emissivity: Tensor  # emissivity of the part without vegetation, -
    vegetation_heat_capacity: Tensor  # Cv, K m2 J-1
    interception_coefficient: Tensor  # c_w, kg m-2
    vegetation_albedo_visible: Tensor  # -
    vegetation_albedo_near_infrared: Tensor  # -
    soil_albedo_visible_dry: Tensor  # -
    soil_albedo_near_infrared_dry: Tensor  # -
    mesophyll_conductance: Tensor  # gm at 25 C, unstressed, m s-1
    cuticular_conductance: Tensor  # gc, m s-1
    maximum_assimilation: Tensor  # Am,max at 25 C, kg m-2 s-1 CO2
    quantum_efficiency: Tensor  # epsilon_0, kg J-1 CO2 per PAR
    compensation_point: Tensor  # Gamma at 25 C, kg kg-1 CO2
    compensation_q10_log: Tensor  # ln Q10 of Gamma
    conductance_q10_log: Tensor  # ln Q10 of gm
    assimilation_q10_log: Tensor  # ln Q10 of Am,max
    conductance_temperature_low: Tensor  # T1 of gm, C
    conductance_temperature_high: Tensor  # T2 of gm, C
    assimilation_temperature_low: Tensor  # T1 of Am,max, C
    assimilation_temperature_high: Tensor  # T2 of Am,max, C
    optimum_temperature: Tensor  # C, of the reference assimilation
    herbaceous_f0: Tensor  # f0 of herbaceous columns, -
    drought_intercept: Tensor  # a_h
    drought_slope: Tensor  # b_h
    woody_maximum_deficit: Tensor  # Dmax of woody columns, kg kg-1
    critical_stress: Tensor  # theta_c, F2I
    leaf_longevity: Tensor  # SEFOLD, s
    minimum_leaf_area_index: Tensor  # m2 m-2
    biomass_per_leaf_area: Tensor  # b = 1/(e N + f), kg m-2
    soil_respiration_25: Tensor  # RE25, kg m-2 s-1 CO2
    wood_longevity: Tensor  # tau_w of photosynthesis NCB, s; 0 without wood
    minimum_stomatal_resistance: Tensor  # Rsmin of photosynthesis NON, s m-1
    deficit_sensitivity: Tensor  # gamma of photosynthesis NON, kg kg-1 to the power -1
    light_scale: Tensor  # Rgl of photosynthesis NON, W m-2
    latitude: Tensor  # degrees
    reference_assimilation: Tensor  # ANMAX, kg kg-1 m s-1; set by photosynthesis.reference_assimilation
    shading_leaf_area_index: Tensor  # LAI_shade of the multilayer canopy
    clumping_upper: Tensor  # b_sup
    clumping_lower: Tensor  # b_inf
    permanent_snow_fraction: Tensor  # share of the permanent snow type
    forest_fraction: Tensor  # share of trees and shrubs


@tensor_dataclass
class AlbedoCycle:
    """Albedos of every ten days (CALBEDO='CM13'), all ``(decade, column)`` with 36 decades, three in a month."""

    soil_visible: Tensor
    soil_near_infrared: Tensor
    vegetation_visible: Tensor
    vegetation_near_infrared: Tensor


@tensor_dataclass
class Topography:
    """Saturated fraction and lateral flow of a cell as functions of its soil moisture (CRUNOFF='SGH').

    The patches of a cell share its soil moisture: ``neighbour`` is where each of them lies, as a number of columns
    from here (0 where there are fewer), ``neighbour_weight`` its share in the moisture of the cell.
    """

    moisture: Tensor  # (row, column) of the cell, descending from the mean porosity, m3 m-3
    saturated: Tensor  # (row, column) fraction of the cell
    outflow: Tensor  # (row, column) lateral flow per saturated conductivity, as SURFEX defines it
    anisotropy: Tensor  # (layer, column) of the conductivity
    neighbour: Tensor  # (patch, column) columns
    neighbour_weight: Tensor  # (patch, column)


@tensor_dataclass
class LandParameters:
    """Everything about a column that does not change with time."""

    soil: SoilParameters
    vegetation: VegetationParameters
    temperature_height: Tensor  # z_ref, m, (column,)
    wind_height: Tensor  # u_ref, m, (column,)
    cell_size: Tensor | None = None  # km, (column,), square root of the area; None: below 15 km
    albedo_cycle: AlbedoCycle | None = None
    topography: Topography | None = None
    leaf_area_climatology: Tensor | None = None  # (decade, column) m2 m-2, 36 decades; for prescribed leaves only


@tensor_dataclass
class Fluxes:
    """Means over one step per unit area of the column, all ``(column,)``; upward fluxes positive except
    ``net_radiation`` and ``ground_heat_flux`` (into the surface)."""

    net_radiation: Tensor  # W m-2
    sensible_heat: Tensor  # W m-2
    latent_heat: Tensor  # W m-2
    ground_heat: Tensor  # W m-2
    soil_evaporation_heat: Tensor  # LEG, W m-2
    soil_sublimation_heat: Tensor  # LEGI, W m-2
    vegetation_evaporation_heat: Tensor  # LEV, W m-2
    transpiration_heat: Tensor  # LETR, W m-2
    interception_evaporation_heat: Tensor  # LER, W m-2
    evaporation: Tensor  # kg m-2 s-1
    drainage: Tensor  # kg m-2 s-1
    surface_runoff: Tensor  # kg m-2 s-1
    dripping: Tensor  # kg m-2 s-1
    gross_primary_production: Tensor  # kg m-2 s-1 CO2
    autotrophic_respiration: Tensor  # kg m-2 s-1 CO2
    ecosystem_respiration: Tensor  # kg m-2 s-1 CO2
    surface_temperature: Tensor  # K
    radiative_temperature: Tensor  # K
    albedo: Tensor  # -
    emissivity: Tensor  # -
    richardson_number: Tensor  # -
    drag_coefficient: Tensor  # C_D, -
    heat_exchange_coefficient: Tensor  # C_H, -
    snow_sublimation_heat: Tensor  # LES, W m-2
    snow_melt: Tensor  # melt and rain leaving the pack, kg m-2 s-1
    snow_fraction: Tensor  # p_sn, -
    snow_fraction_ground: Tensor  # p_sng, -
    snow_fraction_vegetation: Tensor  # p_snv, -
