"""The variable table: every quantity that has a name outside the code, declared once.

Readers, writers, restart files, error messages and the documentation take names, units and CF attributes
from here.  ``name`` is the SURFEX or ALMA name used in files and configurations, ``field`` the attribute of
``LandState``, ``Forcing`` or ``Fluxes`` that holds it inside the code.  Adding a variable is one line.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Variable:
    """One row of the table.  ``layer`` is the 0-based soil layer of a layered field, None otherwise."""

    name: str
    field: str
    units: str
    long_name: str
    standard_name: str | None = None
    layer: int | None = None
    restart: bool = False
    valid_range: tuple[float, float] | None = None

    @property
    def attributes(self) -> dict[str, str]:
        """CF attributes for a netCDF variable."""
        attributes = {"units": self.units, "long_name": self.long_name}
        if self.standard_name:
            attributes["standard_name"] = self.standard_name
        return attributes


def _soil_layers() -> list[Variable]:
    rows = []
    for layer in range(14):
        number = layer + 1
        rows += [
            Variable(f"WG{number}", "soil_moisture", "m3 m-3", f"liquid soil moisture of layer {number}",
                     "volume_fraction_of_condensed_water_in_soil", layer, True, (0.0, 1.0)),
            Variable(f"WGI{number}", "soil_ice", "m3 m-3", f"liquid-equivalent soil ice of layer {number}",
                     "volume_fraction_of_frozen_water_in_soil", layer, True, (0.0, 1.0)),
            Variable(f"TG{number}", "soil_temperature", "K", f"soil temperature of layer {number}",
                     "soil_temperature", layer, True, (180.0, 360.0)),
        ]  # fmt: skip
    return rows


_ROWS = [
    *_soil_layers(),
    Variable("WR", "intercepted_water", "kg m-2", "water intercepted by the canopy", "canopy_water_amount", None, True),
    Variable("RESA", "aerodynamic_resistance", "s m-1", "aerodynamic resistance", None, None, True),
    Variable("LE_AGS", "latent_heat_flux", "W m-2", "latent heat flux of the last step", None, None, True),
    Variable("LAI", "leaf_area_index", "m2 m-2", "leaf area index", "leaf_area_index", None, True, (0.0, 15.0)),
    Variable("BIOMA1", "leaf_biomass", "kg m-2", "leaf biomass (dry matter)", None, None, True),
    Variable("BIOMA2", "active_structural_biomass", "kg m-2", "active structural biomass (dry matter)",
             None, None, True),
    Variable("BIOMA3", "passive_structural_biomass", "kg m-2", "passive structural biomass (dry matter)",
             None, None, True),
    Variable("BIOMA4", "roots_and_wood.root_biomass", "kg m-2", "below-ground structural biomass (dry matter)",
             None, None, True),
    Variable("BIOMA5", "roots_and_wood.wood_biomass", "kg m-2", "above-ground wood biomass (dry matter)",
             None, None, True),
    Variable("BIOMA6", "roots_and_wood.root_wood_biomass", "kg m-2", "below-ground wood biomass (dry matter)",
             None, None, True),
    Variable("ANDAY", "daily_assimilation", "kg m-2", "CO2 assimilated since the daily update", None, None, True),
    Variable("ANFM", "maximum_leaf_assimilation", "kg kg-1 m s-1", "daily maximum of leaf assimilation",
             None, None, True),
    Variable("RESPI2", "active_structural_respiration", "kg m-2", "active structural respiration of the day",
             None, None, True),
    Variable("RESPI3", "passive_structural_respiration", "kg m-2", "passive structural respiration of the day",
             None, None, True),
    Variable("RESPI4", "roots_and_wood.root_respiration", "kg m-2", "below-ground structural respiration of the day",
             None, None, True),
    Variable("RESPI5", "roots_and_wood.wood_respiration", "kg m-2", "above-ground wood respiration of the day",
             None, None, True),
    Variable("WSN", "snow.water_equivalent", "kg m-2", "snow water equivalent of a snow layer",
             "surface_snow_amount", None, True),
    Variable("RSN", "snow.density", "kg m-3", "density of a snow layer", "snow_density", None, True),
    Variable("HSN", "snow.heat_content", "J m-2", "heat content of a snow layer", None, None, True),
    Variable("SAG", "snow.age", "days", "age of a snow layer", None, None, True),
    Variable("ASN_VEG", "snow.albedo", "1", "albedo of the snow", None, None, True),
    # fluxes
    Variable("RN", "net_radiation", "W m-2", "net radiation", "surface_net_downward_radiative_flux"),
    Variable("H", "sensible_heat", "W m-2", "sensible heat flux", "surface_upward_sensible_heat_flux"),
    Variable("LE", "latent_heat", "W m-2", "latent heat flux", "surface_upward_latent_heat_flux"),
    Variable("GFLUX", "ground_heat", "W m-2", "ground heat flux", "downward_heat_flux_in_soil"),
    Variable("LEG", "soil_evaporation_heat", "W m-2", "bare-soil evaporation"),
    Variable("LEGI", "soil_sublimation_heat", "W m-2", "bare-soil sublimation"),
    Variable("LEV", "vegetation_evaporation_heat", "W m-2", "vegetation evapotranspiration"),
    Variable("LETR", "transpiration_heat", "W m-2", "transpiration"),
    Variable("LER", "interception_evaporation_heat", "W m-2", "evaporation of intercepted water"),
    Variable("EVAP", "evaporation", "kg m-2 s-1", "evapotranspiration", "water_evapotranspiration_flux"),
    Variable("DRAIN", "drainage", "kg m-2 s-1", "deep drainage", "subsurface_runoff_flux"),
    Variable("RUNOFF", "surface_runoff", "kg m-2 s-1", "surface runoff", "surface_runoff_flux"),
    Variable("DRIVEG", "dripping", "kg m-2 s-1", "dripping from the canopy"),
    Variable("GPP", "gross_primary_production", "kg m-2 s-1", "gross primary production (CO2)"),
    Variable("R_AUTO", "autotrophic_respiration", "kg m-2 s-1", "autotrophic respiration (CO2)"),
    Variable("R_ECO", "ecosystem_respiration", "kg m-2 s-1", "ecosystem respiration (CO2)"),
    Variable("TS", "surface_temperature", "K", "surface temperature", "surface_temperature"),
    Variable("TSRAD", "radiative_temperature", "K", "radiative surface temperature"),
    Variable("EMIS", "emissivity", "1", "surface emissivity", "surface_longwave_emissivity"),
    Variable("TALB", "albedo", "1", "albedo", "surface_albedo"),
    Variable("RI", "richardson_number", "1", "Richardson number"),
    Variable("CD", "drag_coefficient", "1", "drag coefficient for momentum"),
    Variable("CH", "heat_exchange_coefficient", "1", "exchange coefficient for heat"),
    Variable("LES", "snow_sublimation_heat", "W m-2", "sublimation of snow"),
    Variable("SNOMLT", "snow_melt", "kg m-2 s-1", "water leaving the snow pack", "surface_snow_melt_flux"),
    Variable("PSN", "snow_fraction", "1", "snow fraction", "surface_snow_area_fraction"),
    Variable("PSNG", "snow_fraction_ground", "1", "snow fraction over bare soil"),
    Variable("PSNV", "snow_fraction_vegetation", "1", "snow fraction over vegetation"),
    # forcing; valid ranges are the ALMA quality-control bounds
    Variable("Tair", "air_temperature", "K", "air temperature", "air_temperature", None, False, (213.0, 333.0)),
    Variable("Qair", "specific_humidity", "kg kg-1", "specific humidity", "specific_humidity", None, False,
             (0.0, 0.03)),
    Variable("PSurf", "surface_pressure", "Pa", "surface pressure", "surface_air_pressure", None, False,
             (5.0e3, 1.1e5)),
    Variable("Wind", "wind_speed", "m s-1", "wind speed", "wind_speed", None, False, (0.0, 75.0)),
    Variable("Wind_DIR", "wind_direction", "degrees", "direction the wind comes from", "wind_from_direction", None,
             False, (-360.0, 360.0)),
    Variable("DIR_SWdown", "direct_shortwave_down", "W m-2", "direct solar radiation",
             "surface_direct_downwelling_shortwave_flux_in_air", None, False, (0.0, 1360.0)),
    Variable("SCA_SWdown", "diffuse_shortwave_down", "W m-2", "diffuse solar radiation",
             "surface_diffuse_downwelling_shortwave_flux_in_air", None, False, (0.0, 1360.0)),
    Variable("LWdown", "longwave_down", "W m-2", "thermal radiation", "surface_downwelling_longwave_flux_in_air",
             None, False, (0.0, 750.0)),
    Variable("Rainf", "rainfall", "kg m-2 s-1", "rainfall rate", "rainfall_flux", None, False, (0.0, 0.02)),
    Variable("Snowf", "snowfall", "kg m-2 s-1", "snowfall rate", "snowfall_flux", None, False, (0.0, 0.01)),
    Variable("CO2air", "co2_concentration", "kg m-3", "CO2 concentration",
             "mass_concentration_of_carbon_dioxide_in_air", None, False, (1.0e-4, 5.0e-3)),
    # observed quantities
    Variable("sigma0", "sigma0", "dB", "backscatter coefficient normalised to 40 degrees incidence, VV",
             "surface_backwards_scattering_coefficient_of_radar_wave", None, False, (-40.0, 5.0)),
    Variable("SSM", "surface_soil_moisture", "m3 m-3", "surface soil moisture",
             "volume_fraction_of_condensed_water_in_soil", None, False, (0.0, 1.0)),
]  # fmt: skip

VARIABLES: dict[str, Variable] = {row.name: row for row in _ROWS}


def attributes(name: str) -> dict[str, str]:
    """CF attributes of the variable called ``name``; ``KeyError`` when the table has no such row."""
    return VARIABLES[name].attributes
