"""The 19 vegetation types, the 12 patches that group them, and their parameters.

Sources: ``SURFACE`` isba_physics.md 3.10 and isba_ags.md 6.2, 6.6; ``PHOTOSYNTHESIS`` isba_ags.md 6.2 with
the drought strategies of section 2; ``GROWTH`` isba_ags.md 6.1-6.3; ``JARVIS`` isba_ags.md 6.2;
``CANOPY_AND_ROOTS`` isba_ags.md 6.3 with the typical depths and heights of isba_ags.md 6.5 and isba_physics.md
1.2; pathways isba_ags.md 1.2.  The values are those of SURFEX v8.1, not those of the papers behind them
(Gibelin et al. 2006, Delire et al. 2020 and others).  A-gs never acts on the bare types NO, ROCK and SNOW; their
photosynthesis entries repeat GRAS so that every formula stays finite there.
"""

from collections.abc import Mapping

import numpy as np
import torch

from dalearn.constants import DAY, MOLAR_MASS_AIR, MOLAR_MASS_CO2
from dalearn.grid import PATCH_COUNT
from dalearn.land.state import VegetationParameters

# cover: fraction of the ground, nan = 1 - exp(-0.6 LAI); height: m, of bare types, the largest one of crops
# heat_capacity: Cv, 1e-5 K m2 J-1; interception: c_w, kg m-2; bare_emissivity: of the part without vegetation
SURFACE = """
type  patch  group  cover  height  bare_emissivity  heat_capacity  interception  near_infrared  visible
NO      1    bare   0.00   0.1          0.94             2             0.2           0.30        0.10
ROCK    2    bare   0.00   1.0          0.94             2             0.2           0.30        0.10
SNOW    3    bare   0.00   0.01         0.99             2             0.2           0.30        0.10
TEBD    4    tree   0.95   nan          0.94             1             0.1           0.25        0.05
BONE    5    tree   0.95   nan          0.94             1             0.1           0.15        0.05
TRBE    6    tree   1.00   nan          0.94             1             0.1           0.21        0.05
C3      7    crop   nan    1.0          0.94             2             0.2           0.30        0.10
C4      8    crop   nan    2.5          0.94             2             0.2           0.30        0.10
IRR     9    crop   nan    2.5          0.94             2             0.2           0.30        0.10
GRAS   10    grass  0.95   nan          0.94             2             0.2           0.30        0.10
TROG   11    grass  0.95   nan          0.94             2             0.2           0.30        0.10
PARK   12    grass  0.95   nan          0.94             2             0.2           0.30        0.10
TRBD    4    tree   0.95   nan          0.94             1             0.1           0.25        0.05
TEBE    4    tree   0.95   nan          0.94             1             0.1           0.25        0.05
TENE    5    tree   0.95   nan          0.94             1             0.1           0.15        0.05
BOBD    4    tree   0.95   nan          0.94             1             0.1           0.25        0.05
BOND    5    tree   0.95   nan          0.94             1             0.1           0.15        0.05
BOGR   10    grass  0.95   nan          0.94             2             0.2           0.30        0.10
SHRB    4    tree   0.95   nan          0.94             1             0.1           0.25        0.05
"""

# mesophyll (gm) and cuticular (gc): mm s-1 at 25 C; assimilation (Am,max): 1e-6 kg m-2 s-1 CO2 at 25 C
# deficit (Dmax of woody types): kg kg-1; critical_stress (theta_c): -
PHOTOSYNTHESIS = """
type  pathway  mesophyll  cuticular  assimilation  deficit  strategy   critical_stress
NO      C3       1.00        0.25       1.700       nan     offensive       0.3
ROCK    C3       1.00        0.25       1.700       nan     offensive       0.3
SNOW    C3       1.00        0.25       1.700       nan     offensive       0.3
TEBD    C3       1.80        0.15       1.300       0.109   offensive       0.3
BONE    C3       1.90        0.00       1.400       0.124   defensive       0.3
TRBE    C3       1.20        0.15       0.484       0.124   offensive       0.3
C3      C3       1.75        0.25       2.200       nan     defensive       0.3
C4      C4       9.80        0.15       1.700       nan     offensive       0.3
IRR     C4       9.80        0.15       1.700       nan     defensive       0.3
GRAS    C3       1.00        0.25       1.700       nan     offensive       0.3
TROG    C4       6.00        0.15       1.700       nan     offensive       0.3
PARK    C3       1.00        1.00       1.700       nan     offensive       0.3
TRBD    C3       1.20        0.15       0.900       0.109   offensive       0.3
TEBE    C3       1.90        0.15       1.300       0.109   offensive       0.3
TENE    C3       1.90        0.00       1.400       0.124   defensive       0.3
BOBD    C3       1.80        0.15       1.300       0.109   offensive       0.3
BOND    C3       1.20        0.00       0.900       0.124   defensive       0.3
BOGR    C3       1.00        0.25       1.700       nan     offensive       0.3
SHRB    C3       1.60        0.15       1.200       0.109   offensive       0.3
"""

# nitrogen_slope (e): m2 kg-1 %-1; nitrogen_offset (f): m2 kg-1; nitrogen (N_L): %; longevity (SEFOLD): days
# minimum_lai: m2 m-2; soil_respiration (RE25): 1e-7 kg m-2 s-1 CO2; wood_longevity (tau_w): years, no wood = 0
GROWTH = """
type  nitrogen_slope  nitrogen_offset  nitrogen  longevity  minimum_lai  soil_respiration  wood_longevity
NO        7.68            -4.33          1.30       150         0.3            0.0            0
ROCK      7.68            -4.33          1.30       150         0.3            0.0            0
SNOW      7.68            -4.33          1.30       150         0.3            0.0            0
TEBD      4.83             5.11          2.13       230         0.3            3.6           40
BONE      4.85            -0.87          1.21       365         1.0            1.8           50
TRBE      4.83             0.12          1.70       365         1.0            3.6           30
C3        3.79             9.84          1.30       150         0.3            3.6            0
C4        7.68            -4.33          1.90       150         0.3            3.0            0
IRR       7.68            -4.33          1.90       150         0.3            3.0            0
GRAS      5.56             6.73          1.30       150         0.3            3.6            0
TROG      7.68            -4.33          1.30       150         0.3            3.6            0
PARK      5.56             6.73          1.30       150         0.3            3.6            0
TRBD      4.83             5.11          2.13       230         0.3            3.6           40
TEBE      4.83             0.17          1.69       230         0.3            3.6           40
TENE      4.85            -0.87          1.21       365         1.0            1.8           50
BOBD      4.83             5.11          2.13       230         0.3            3.6           40
BOND      4.85             0.68          1.94       365         1.0            1.8           50
BOGR      5.56             6.73          1.30       150         0.3            3.6            0
SHRB      4.83             4.98          2.15       230         0.3            3.6           40
"""

# minimum_resistance (Rsmin): s m-1; deficit_sensitivity (gamma): per g kg-1; light_scale (Rgl): W m-2
JARVIS = """
type  minimum_resistance  deficit_sensitivity  light_scale
NO             40                  0.00             100
ROCK           40                  0.00             100
SNOW           40                  0.00             100
TEBD          150                  0.04              30
BONE          150                  0.04              30
TRBE          175                  0.04              30
C3             40                  0.00             100
C4            120                  0.00             100
IRR           120                  0.00             100
GRAS           40                  0.00             100
TROG          120                  0.00             100
PARK           40                  0.00             100
TRBD          150                  0.04              30
TEBE          150                  0.04              30
TENE          150                  0.04              30
BOBD          150                  0.04              30
BOND          150                  0.04              30
BOGR           40                  0.00             100
SHRB          150                  0.04              30
"""

# shading_lai, clumping (b_sup, b_inf): multilayer canopy; root_extinction: per cm; depths and tree height: m
CANOPY_AND_ROOTS = """
type  shading_lai  clumping_upper  clumping_lower  root_extinction  root_linear  root_depth  soil_depth  tree_height
NO        0             1               1.0             0.943          0.05         0.5         1.0          nan
ROCK      0             1               1.0             0.943          0.05         0.2         0.2          nan
SNOW      0             1               1.0             0.943          0.05         0.2         0.2          nan
TEBD      2             1               4.0             0.966          0.05         2.0         3.0         10.0
BONE      3             2               2.0             0.943          0.05         2.0         3.0         10.0
TRBE      6             3               4.0             0.962          0.25         5.0         5.0         17.5
C3        2             2               1.0             0.961          0.05         1.5         2.0          nan
C4        2             2               1.5             0.972          0.05         1.5         2.0          nan
IRR       2             2               1.5             0.972          0.05         1.5         2.0          nan
GRAS      2             2               1.0             0.943          0.05         1.5         2.0          nan
TROG      2             2               1.0             0.972          0.05         1.5         2.0          nan
PARK      2             2               1.0             0.943          0.05         1.5         2.0          nan
TRBD      2             1               4.0             0.961          0.05         3.0         3.0         10.0
TEBE      2             1               4.0             0.966          0.05         2.0         3.0         12.5
TENE      3             2               2.0             0.976          0.05         2.0         3.0         15.0
BOBD      2             1               4.0             0.943          0.05         2.0         3.0         10.0
BOND      3             2               2.0             0.943          0.05         2.0         3.0         15.0
BOGR      2             2               1.0             0.914          0.05         1.0         1.5          nan
SHRB      2             1               4.0             0.964          0.05         4.0         4.0          2.0
"""

# isba_ags.md 1.2; quantum_efficiency: kg J-1 CO2; compensation_point: ppm; temperatures: C
PATHWAY = """
type  quantum_efficiency  compensation_point  gm_low  gm_high  am_low  am_high  f0    optimum  intercept  slope
C3         1.7e-8               45.0             5       36       8       38    0.95     25      2.381    -0.6103
C4         1.4e-8                2.8            13       36      13       38    0.60     35      5.323    -0.8929
"""
COMPENSATION_Q10 = 1.5
CONDUCTANCE_Q10 = 2.0
ASSIMILATION_Q10 = 2.0


def _columns(text: str) -> dict[str, np.ndarray]:
    """A table with a header line as one array per column: numbers where all entries are, else strings."""
    header, *rows = [line.split() for line in text.strip().splitlines()]
    columns = {}
    for name, entries in zip(header, zip(*rows, strict=True), strict=True):
        words = np.array(entries)
        columns[name] = words if name in ("type", "group", "pathway", "strategy") else words.astype(float)
    return columns


_TABLES = [_columns(text) for text in (SURFACE, PHOTOSYNTHESIS, GROWTH, JARVIS, CANOPY_AND_ROOTS)]
TYPES: dict[str, np.ndarray] = {name: values for table in _TABLES for name, values in table.items()}
PATHWAYS: dict[str, np.ndarray] = _columns(PATHWAY)

VEGETATION_TYPES: tuple[str, ...] = tuple(TYPES["type"].tolist())
PATCH_OF_TYPE: np.ndarray = TYPES["patch"].astype(int)
BARE_TYPES: np.ndarray = TYPES["group"] == "bare"
TREE_TYPES: np.ndarray = TYPES["group"] == "tree"


def ppm_to_mixing_ratio(ppm: float) -> float:
    """CO2 mole fraction in ppm as kg kg-1 (isba_ags.md 1.1)."""
    return ppm * 1e-6 * MOLAR_MASS_CO2 / MOLAR_MASS_AIR


def patch_fractions(type_fraction: np.ndarray) -> np.ndarray:
    """Fractions of the 12 patches (cell, 12) from those of the 19 types (cell, 19); isba_ags.md 6.4."""
    membership = PATCH_OF_TYPE[:, None] == np.arange(1, PATCH_COUNT + 1)
    return type_fraction @ membership.astype(float)


def types_in_patch(type_fraction: np.ndarray, patch: np.ndarray) -> np.ndarray:
    """Type fractions of the cell of each column (column, 19) and its patch number (column,) 1..12 -> shares
    of each type within the patch (column, 19), summing to 1."""
    share = np.where(patch[:, None] == PATCH_OF_TYPE, type_fraction, 0.0)
    return share / share.sum(axis=1, keepdims=True)


def patch_parameters(
    type_share: np.ndarray,
    tree_height: np.ndarray,
    *,
    latitude: np.ndarray,
    soil_albedo_visible: np.ndarray,
    soil_albedo_near_infrared: np.ndarray,
    table: Mapping[str, np.ndarray] = TYPES,
) -> VegetationParameters:
    """Parameters of each patch, averaged over the types in it (isba_ags.md 6.4), in float64.

    ``type_share`` (column, 19) sums to 1 and comes from ``types_in_patch``; ``tree_height`` (column, 19) m;
    ``latitude`` (column,) degrees; dry ``soil_albedo_*`` (column,); ``table`` has
    the columns of ``TYPES``, each (19,) or (column, 19).  Every type of a patch covers the same
    fraction of the ground, so SURFEX's weights "fraction x veg" are the plain shares.  Parameters are averaged,
    not the nonlinear functions of them.  ``reference_assimilation`` is left at 1 for
    ``photosynthesis.with_reference_assimilation``.
    """

    def mean(values: np.ndarray, share: np.ndarray = type_share) -> np.ndarray:
        return share @ values if values.ndim == 1 else (share * values).sum(axis=1)

    def of_dominant(name: str) -> np.ndarray:
        values = np.broadcast_to(table[name], type_share.shape)
        return np.take_along_axis(values, dominant[:, None], axis=1)[:, 0]

    def of_pathway(name: str) -> np.ndarray:
        return mean(np.where(TYPES["pathway"] == "C3", *PATHWAYS[name]))

    def tensor(values: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(np.ascontiguousarray(values))

    def constant(value: float) -> torch.Tensor:
        return torch.full((len(type_share),), value, dtype=torch.float64)

    # Every type of a patch belongs to the same group, so the dominant type tells the group of the patch.
    dominant = type_share.argmax(axis=1)
    group = TYPES["group"][dominant]
    tree_share = type_share * TREE_TYPES
    tree_share = tree_share / np.maximum(tree_share.sum(axis=1, keepdims=True), np.finfo(float).tiny)
    mean_tree_height = (tree_share * np.nan_to_num(tree_height)).sum(axis=1)
    fixed_height = np.where(group == "tree", mean_tree_height, np.nan_to_num(of_dominant("height")))
    specific_leaf_area = mean(table["nitrogen_slope"]) * mean(table["nitrogen"]) + mean(table["nitrogen_offset"])

    return VegetationParameters(
        vegetated=tensor(group != "bare"),
        is_crop=tensor(group == "crop"),
        is_grass=tensor(group == "grass"),
        is_woody=tensor(type_share @ TREE_TYPES.astype(float) >= 0.5),
        is_tropical_evergreen=tensor(type_share[:, VEGETATION_TYPES.index("TRBE")] > 0.8),
        is_defensive=tensor(mean((TYPES["strategy"] == "defensive").astype(float)) >= 0.5),
        fixed_cover=tensor(mean(np.nan_to_num(table["cover"]))),
        fixed_height=tensor(fixed_height),
        maximum_crop_height=tensor(np.where(group == "crop", fixed_height, 1.0)),
        bare_emissivity=tensor(mean(table["bare_emissivity"])),
        vegetation_heat_capacity=tensor(1e-5 / mean(1.0 / table["heat_capacity"])),
        interception_coefficient=tensor(mean(table["interception"])),
        vegetation_albedo_visible=tensor(mean(table["visible"])),
        vegetation_albedo_near_infrared=tensor(mean(table["near_infrared"])),
        soil_albedo_visible_dry=tensor(soil_albedo_visible),
        soil_albedo_near_infrared_dry=tensor(soil_albedo_near_infrared),
        mesophyll_conductance=tensor(1e-3 * mean(table["mesophyll"])),
        cuticular_conductance=tensor(1e-3 * mean(table["cuticular"])),
        maximum_assimilation=tensor(1e-6 * mean(table["assimilation"])),
        quantum_efficiency=tensor(of_pathway("quantum_efficiency")),
        compensation_point=tensor(of_pathway("compensation_point") * ppm_to_mixing_ratio(1.0)),
        compensation_q10_log=constant(np.log(COMPENSATION_Q10)),
        conductance_q10_log=constant(np.log(CONDUCTANCE_Q10)),
        assimilation_q10_log=constant(np.log(ASSIMILATION_Q10)),
        conductance_temperature_low=tensor(of_pathway("gm_low")),
        conductance_temperature_high=tensor(of_pathway("gm_high")),
        assimilation_temperature_low=tensor(of_pathway("am_low")),
        assimilation_temperature_high=tensor(of_pathway("am_high")),
        optimum_temperature=tensor(of_pathway("optimum")),
        herbaceous_f0=tensor(of_pathway("f0")),
        drought_intercept=tensor(of_pathway("intercept")),
        drought_slope=tensor(of_pathway("slope")),
        woody_maximum_deficit=tensor(mean(np.nan_to_num(table["deficit"]), tree_share)),
        critical_stress=tensor(mean(table["critical_stress"])),
        leaf_longevity=tensor(DAY * mean(table["longevity"])),
        minimum_leaf_area_index=tensor(mean(table["minimum_lai"])),
        biomass_per_leaf_area=tensor(1.0 / specific_leaf_area),
        soil_respiration_25=tensor(1e-7 * mean(table["soil_respiration"])),
        wood_longevity=tensor(365.0 * DAY * mean(table["wood_longevity"])),
        minimum_stomatal_resistance=tensor(1.0 / mean(1.0 / table["minimum_resistance"])),
        deficit_sensitivity=tensor(1e3 * mean(table["deficit_sensitivity"])),
        light_scale=tensor(mean(table["light_scale"])),
        latitude=tensor(latitude),
        reference_assimilation=constant(1.0),
        shading_leaf_area_index=tensor(of_dominant("shading_lai")),
        clumping_upper=tensor(of_dominant("clumping_upper")),
        clumping_lower=tensor(of_dominant("clumping_lower")),
        permanent_snow_fraction=tensor(type_share[:, VEGETATION_TYPES.index("SNOW")]),
        forest_fraction=tensor(type_share @ TREE_TYPES.astype(float)),
    )
