"""From classes of land cover to the 19 vegetation types, water and urban: the crosswalk.

It has two steps.  A class is split into covers (broadleaf evergreen trees, crops, water, ...), whatever its place.
Then the zone of latitude tells the vegetation types of a cover.

Sources.  ``ESA_CCI``: names after the ESA CCI land cover product user guide (v2, LCCS legend of 22 classes and their
regional subclasses); shares after Poulter et al. (2015, doi:10.5194/gmd-8-2315-2015, table 2), with these changes:
needleleaf and broadleaf shrubs are one cover, managed grass is crops, class 190 is urban as a whole, consolidated bare
areas are rock, lichens and mosses are tundra, herbs of flooded classes are wetland.  ``CGLS_LC100``: names and canopy
cover after the product user manual of CGLS-LC100 version 3; closed forest has more than 70 % of trees, open forest 15
to 70 %, so trees take the middle of these ranges; its other shares are choices of this project.  ``ZONES``: hint of
isba_ags.md section 10; the C4 share of crops is a choice of this project, which the user can replace.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from dalearn.land.vegetation import VEGETATION_TYPES

TROPICS = 23.5  # degrees: |latitude| below is tropical
BOREAL = 55.0  # degrees: |latitude| from here on is boreal
NO_DATA = "no_data"
NOT_LAND = ("water", "urban")

# cover: types and % in the tropics | between | boreal
ZONES = """
trees_broadleaf_evergreen  | TRBE 100         | TEBE 100         | TEBE 100
trees_broadleaf_deciduous  | TRBD 100         | TEBD 100         | BOBD 100
trees_needleleaf_evergreen | TENE 100         | TENE 100         | BONE 100
trees_needleleaf_deciduous | BOND 100         | BOND 100         | BOND 100
trees_mixed                | TRBE 50, TRBD 50 | TEBD 50, TENE 50 | BOBD 50, BONE 50
shrubs                     | SHRB 100         | SHRB 100         | SHRB 100
grass                      | TROG 100         | GRAS 100         | BOGR 100
tundra                     | BOGR 100         | BOGR 100         | BOGR 100
wetland                    | PARK 100         | PARK 100         | PARK 100
crops                      | C3 50, C4 50     | C3 90, C4 10     | C3 100
irrigated                  | IRR 100          | IRR 100          | IRR 100
bare                       | NO 100           | NO 100           | NO 100
rock                       | ROCK 100         | ROCK 100         | ROCK 100
snow                       | SNOW 100         | SNOW 100         | SNOW 100
"""

# code | name of the class | covers and %
ESA_CCI = """
0   | No data                                                       | no_data 100
10  | Cropland, rainfed                                             | crops 100
11  | Cropland, rainfed, herbaceous cover                           | crops 100
12  | Cropland, rainfed, tree or shrub cover                        | shrubs 50, crops 50
20  | Cropland, irrigated or post-flooding                          | irrigated 100
30  | Mosaic cropland (>50%) / natural vegetation                   | trees_broadleaf_evergreen 5, trees_broadleaf_deciduous 5, shrubs 15, grass 15, crops 60
40  | Mosaic natural vegetation (>50%) / cropland                   | trees_broadleaf_evergreen 5, trees_broadleaf_deciduous 5, shrubs 25, grass 25, crops 40
50  | Trees, broadleaved, evergreen, closed to open (>15%)          | trees_broadleaf_evergreen 90, shrubs 10
60  | Trees, broadleaved, deciduous, closed to open (>15%)          | trees_broadleaf_deciduous 70, shrubs 15, grass 15
61  | Trees, broadleaved, deciduous, closed (>40%)                  | trees_broadleaf_deciduous 70, shrubs 15, grass 15
62  | Trees, broadleaved, deciduous, open (15-40%)                  | trees_broadleaf_deciduous 30, shrubs 25, grass 35, bare 10
70  | Trees, needleleaved, evergreen, closed to open (>15%)         | trees_needleleaf_evergreen 70, shrubs 15, grass 15
71  | Trees, needleleaved, evergreen, closed (>40%)                 | trees_needleleaf_evergreen 70, shrubs 15, grass 15
72  | Trees, needleleaved, evergreen, open (15-40%)                 | trees_needleleaf_evergreen 30, shrubs 10, grass 30, bare 30
80  | Trees, needleleaved, deciduous, closed to open (>15%)         | trees_needleleaf_deciduous 70, shrubs 15, grass 15
81  | Trees, needleleaved, deciduous, closed (>40%)                 | trees_needleleaf_deciduous 70, shrubs 15, grass 15
82  | Trees, needleleaved, deciduous, open (15-40%)                 | trees_needleleaf_deciduous 30, shrubs 10, grass 30, bare 30
90  | Trees, mixed leaf type                                        | trees_broadleaf_deciduous 30, trees_needleleaf_evergreen 20, trees_needleleaf_deciduous 10, shrubs 15, grass 15, bare 10
100 | Mosaic tree and shrub (>50%) / herbaceous                     | trees_broadleaf_evergreen 10, trees_broadleaf_deciduous 20, trees_needleleaf_evergreen 5, trees_needleleaf_deciduous 5, shrubs 20, grass 40
110 | Mosaic herbaceous (>50%) / tree and shrub                     | trees_broadleaf_evergreen 5, trees_broadleaf_deciduous 10, trees_needleleaf_evergreen 5, shrubs 20, grass 60
120 | Shrubland                                                     | shrubs 60, grass 20, bare 20
121 | Shrubland, evergreen                                          | shrubs 60, grass 20, bare 20
122 | Shrubland, deciduous                                          | shrubs 60, grass 20, bare 20
130 | Grassland                                                     | grass 60, bare 40
140 | Lichens and mosses                                            | tundra 60, bare 40
150 | Sparse vegetation (<15%)                                      | trees_broadleaf_evergreen 1, trees_broadleaf_deciduous 3, trees_needleleaf_evergreen 1, shrubs 5, grass 5, bare 85
151 | Sparse trees (<15%)                                           | trees_broadleaf_deciduous 2, trees_needleleaf_evergreen 6, trees_needleleaf_deciduous 2, grass 5, bare 85
152 | Sparse shrubs (<15%)                                          | shrubs 10, grass 5, bare 85
153 | Sparse herbaceous cover (<15%)                                | grass 15, bare 85
160 | Trees, flooded, fresh or brackish water                       | trees_broadleaf_evergreen 30, trees_broadleaf_deciduous 30, wetland 20, water 20
170 | Trees, flooded, saline water                                  | trees_broadleaf_evergreen 60, shrubs 20, water 20
180 | Shrub or herbaceous cover, flooded                            | trees_broadleaf_deciduous 5, trees_needleleaf_evergreen 10, shrubs 15, wetland 40, water 30
190 | Urban areas                                                   | urban 100
200 | Bare areas                                                    | bare 100
201 | Bare areas, consolidated                                      | rock 100
202 | Bare areas, unconsolidated                                    | bare 100
210 | Water bodies                                                  | water 100
220 | Permanent snow and ice                                        | snow 100
"""  # noqa: E501

CGLS_LC100 = """
0   | No input data                                                 | no_data 100
20  | Shrubs                                                        | shrubs 60, grass 20, bare 20
30  | Herbaceous vegetation                                         | grass 80, bare 20
40  | Cultivated and managed vegetation                             | crops 100
50  | Urban                                                         | urban 100
60  | Bare or sparse vegetation (<10%)                              | grass 5, bare 95
70  | Snow and ice                                                  | snow 100
80  | Permanent water bodies                                        | water 100
90  | Herbaceous wetland                                            | wetland 70, water 30
100 | Moss and lichen                                               | tundra 60, bare 40
111 | Closed forest, evergreen needleleaf                           | trees_needleleaf_evergreen 85, shrubs 5, grass 10
112 | Closed forest, evergreen broadleaf                            | trees_broadleaf_evergreen 85, shrubs 5, grass 10
113 | Closed forest, deciduous needleleaf                           | trees_needleleaf_deciduous 85, shrubs 5, grass 10
114 | Closed forest, deciduous broadleaf                            | trees_broadleaf_deciduous 85, shrubs 5, grass 10
115 | Closed forest, mixed                                          | trees_mixed 85, shrubs 5, grass 10
116 | Closed forest, unknown                                        | trees_mixed 85, shrubs 5, grass 10
121 | Open forest, evergreen needleleaf                             | trees_needleleaf_evergreen 43, shrubs 22, grass 35
122 | Open forest, evergreen broadleaf                              | trees_broadleaf_evergreen 43, shrubs 22, grass 35
123 | Open forest, deciduous needleleaf                             | trees_needleleaf_deciduous 43, shrubs 22, grass 35
124 | Open forest, deciduous broadleaf                              | trees_broadleaf_deciduous 43, shrubs 22, grass 35
125 | Open forest, mixed                                            | trees_mixed 43, shrubs 22, grass 35
126 | Open forest, unknown                                          | trees_mixed 43, shrubs 22, grass 35
200 | Open sea                                                      | water 100
255 | No input data                                                 | no_data 100
"""


def _shares(text: str) -> dict[str, float]:
    """``name %, name %`` as fractions."""
    pairs = (part.split() for part in text.split(","))
    return {name: float(percent) / 100.0 for name, percent in pairs}


def _lines(text: str) -> list[list[str]]:
    return [[field.strip() for field in line.split("|")] for line in text.strip().splitlines()]


COVERS_BY_ZONE: dict[str, tuple[dict[str, float], ...]] = {
    name: tuple(map(_shares, zones)) for name, *zones in _lines(ZONES)
}
COVERS: tuple[str, ...] = (*COVERS_BY_ZONE, *NOT_LAND)


@dataclass(frozen=True, eq=False)
class Legend:
    """Classes of a map of land cover.

    ``codes`` (class,) as the map has them; ``names`` of the classes; ``covers`` (class, cover), fractions in the order
    of ``COVERS``, rows that sum to 1, or to 0 for classes without data.
    """

    name: str
    codes: np.ndarray
    names: tuple[str, ...]
    covers: np.ndarray

    @property
    def no_data(self) -> np.ndarray:
        """(class,) whether a class says nothing."""
        return self.covers.sum(axis=1) == 0.0

    @property
    def land(self) -> np.ndarray:
        """(class,) whether most of a class is neither water nor urban."""
        return ~self.no_data & (self.covers[:, [COVERS.index(name) for name in NOT_LAND]].sum(axis=1) <= 0.5)

    @property
    def forest(self) -> np.ndarray:
        """(class,) whether a class has at least 30 % of trees."""
        trees = [name.startswith("trees") for name in COVERS]
        return self.covers[:, trees].sum(axis=1) >= 0.3 - 1e-9


def _legend(name: str, text: str) -> Legend:
    lines = _lines(text)
    shares = [_shares(covers) for *_, covers in lines]
    table = np.array([[share.get(cover, 0.0) for cover in COVERS] for share in shares])
    return Legend(name, np.array([int(code) for code, *_ in lines]), tuple(line[1] for line in lines), table)


LEGENDS: Mapping[str, Legend] = {
    "esa_cci": _legend("esa_cci", ESA_CCI),
    "cgls_lc100": _legend("cgls_lc100", CGLS_LC100),
}


def zone(latitude: np.ndarray) -> np.ndarray:
    """0 in the tropics, 1 between, 2 boreal, for degrees north."""
    return np.searchsorted([TROPICS, BOREAL], np.abs(latitude), side="right")


def types_of_covers(covers: np.ndarray, latitude: np.ndarray, c4_crop_fraction: float | None = None) -> np.ndarray:
    """Fractions of the 19 vegetation types (cell, 19) from those of the covers (cell, cover) and the latitude (cell,).

    Water and urban are left out, so a row sums to what is land.  ``c4_crop_fraction`` of the rainfed crops replaces
    that of the zone.
    """
    table = np.zeros((3, len(COVERS), len(VEGETATION_TYPES)))
    for cover, zones in COVERS_BY_ZONE.items():
        for number, shares in enumerate(zones):
            for name, share in shares.items():
                table[number, COVERS.index(cover), VEGETATION_TYPES.index(name)] = share
    if c4_crop_fraction is not None:
        crops = table[:, COVERS.index("crops")]
        crops[:, VEGETATION_TYPES.index("C3")] = 1.0 - c4_crop_fraction
        crops[:, VEGETATION_TYPES.index("C4")] = c4_crop_fraction
    zones_of_cells = zone(latitude)
    fractions = np.zeros((len(covers), len(VEGETATION_TYPES)))
    for number in range(3):
        here = zones_of_cells == number
        fractions[here] = covers[here] @ table[number]
    return fractions
