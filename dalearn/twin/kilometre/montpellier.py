"""The Montpellier region of Rojas-Munoz et al. (2023): Languedoc from the Larzac to the Camargue."""

import numpy as np

from dalearn.twin.kilometre.region import Region
from dalearn.twin.rainfall import RainClimate
from dalearn.twin.weather import ATLANTIC, Climate

LANDS = """
region                 lat    lon   clay sand   C3  C4 IRR GRAS TEBD TENE PARK  NO VINE RICE
larzac               43.93   3.25    28   30    14   0   0   50   26    0    0  10    0    0
larzac_south         43.80   3.30    28   30     8   0   0   44   36    2    0  10    0    0
causse_blandas       43.92   3.52    26   32     6   0   0   42   40    4    0   8    0    0
seranne              43.84   3.63    24   34     0   0   0   22   60    4    0  14    0    0
saint_affrique       44.05   3.02    26   30    30   0   0   46   24    0    0   0    0    0
dourbie              44.12   3.30    24   36     6   0   0   32   34   28    0   0    0    0
cevennes_south       44.02   3.68    15   55     0   0   0   14   62   24    0   0    0    0
cevennes_north       44.20   3.75    14   58     0   0   0   14   54   32    0   0    0    0
espinouse            43.62   3.02    16   52     0   0   0   26   50   24    0   0    0    0
lodeve               43.72   3.30    26   30     6   0   0   28   42    4    0   4   16    0
clermont_herault     43.62   3.45    24   34    10   0   0   12   20    0    0   6   52    0
faugeres             43.56   3.15    22   40     0   0   0   16   46    4    0   6   28    0
biterrois            43.38   3.18    24   34    14   2   0    8    6    0    0   6   64    0
pezenas              43.45   3.42    24   34    16   0   2   10    8    0    0   4   60    0
agde                 43.32   3.45    22   40    10   0   4   18    4    0    6   6   52    0
gardiole             43.48   3.75    24   36     6   0   0   18   50    8    0  12    6    0
aniane               43.68   3.62    22   36     6   0   0   16   46    6    0   6   20    0
garrigue_montpellier 43.73   3.78    24   34     8   0   0   22   52   10    0   8    0    0
pic_saint_loup       43.80   3.85    26   30    14   0   0   18   42    6    0   4   16    0
montpellier_plain    43.62   3.98    25   34    36   4   8   18    4    0    0   4   26    0
lunel                43.70   4.13    24   36    30   4  12   12    4    0    0   4   34    0
villevieille         43.80   4.08    26   32    34   0   4   20   18    4    0   0   20    0
quissac              43.92   3.98    26   32    24   0   2   20   36    8    0   2    8    0
gardonnenque         43.98   4.14    26   32    36   4  26   14   10    0    0   0   10    0
ales_plain           44.07   4.12    24   36    26   6  30   18   16    4    0   0    0    0
ales_east            44.05   4.26    26   32    36   2  16   16   20    0    0   0   10    0
ales_north           44.18   4.12    18   46    10   0   4   22   46   18    0   0    0    0
grand_combe          44.23   3.99    14   56     0   0   0   14   52   34    0   0    0    0
ceze                 44.21   4.26    22   40    24   2  18   22   30    0    0   0    4    0
nimes_garrigue       43.89   4.29    26   32     8   0   0   22   56    4    0  10    0    0
vaunage              43.79   4.22    25   32    36   0   8   16   10    0    0   2   28    0
costieres            43.74   4.33    18   46    24   0  12   10    6    0    0   4   44    0
petite_camargue      43.66   4.27    34   22    18   0   2   26    0    0   14   0    8   32
camargue_rice        43.59   4.32    36   18     8   0   0   24    0    0   16   0    0   52
camargue_south       43.51   4.29    34   22     0   0   0   44    0    0   32   8    0   16
aigues_mortes        43.56   4.17    12   72     8   0   0   26    0    4   18   8   36    0
"""

# Round numbers in the manner of the climatological normals of Millau, Montpellier and Nimes.
RAIN = RainClimate(
    longitudes=np.array([3.0, 3.9, 4.4]),
    rain=np.array(
        [
            [58, 50, 50, 70, 74, 58, 40, 52, 72, 84, 76, 66],
            [56, 46, 38, 56, 44, 28, 18, 34, 82, 98, 68, 58],
            [62, 50, 42, 66, 56, 40, 28, 44, 98, 110, 84, 64],
        ],
        dtype=float,
    ),
    days=np.array(
        [
            [8.4, 7.4, 7.6, 8.8, 8.8, 6.4, 4.6, 5.6, 6.2, 8.4, 8.6, 8.8],
            [5.6, 4.6, 4.6, 5.8, 5.0, 3.6, 2.4, 3.4, 4.6, 6.6, 6.2, 5.6],
            [6.0, 5.0, 5.0, 6.6, 6.0, 4.4, 3.0, 4.0, 5.0, 7.0, 6.8, 6.0],
        ]
    ),
)

MONTPELLIER = Region(
    name="montpellier",
    box=(43.26, 44.26, 2.99, 4.38),
    lands=LANDS,
    massifs={
        "Larzac": (43.95, 3.28, 620, 0.22),
        "Lingas and Aigoual": (44.10, 3.58, 850, 0.16),
        "Cevennes": (44.22, 3.82, 420, 0.14),
        "Espinouse": (43.64, 2.95, 700, 0.16),
        "Escandorgue": (43.78, 3.22, 320, 0.12),
        "Seranne": (43.86, 3.62, 350, 0.10),
        "garrigues of Montpellier": (43.75, 3.80, 140, 0.14),
        "garrigues of Nimes": (43.90, 4.28, 120, 0.12),
        "Gardiole": (43.49, 3.76, 120, 0.05),
        "Gard": (44.05, 4.10, 90, 0.20),
    },
    plain=15.0,
    waters={
        "Mediterranean": (
            (2.90, 43.16), (3.22, 43.23), (3.45, 43.27), (3.52, 43.28), (3.58, 43.32), (3.70, 43.39), (3.80, 43.43),
            (3.93, 43.52), (4.00, 43.545), (4.08, 43.555), (4.13, 43.53), (4.13, 43.48), (4.24, 43.47), (4.42, 43.45),
            (4.50, 43.45), (4.50, 43.00), (2.90, 43.00),
        ),
        "lagoon of Thau": ((3.52, 43.34), (3.68, 43.41), (3.66, 43.44), (3.60, 43.43), (3.51, 43.36)),
        "lagoons of Palavas": ((3.80, 43.45), (3.92, 43.53), (3.93, 43.56), (3.86, 43.53), (3.79, 43.47)),
        "lagoon of Mauguio": ((3.97, 43.57), (4.09, 43.565), (4.10, 43.59), (4.00, 43.60)),
        "lagoon of Scamandre": ((4.31, 43.595), (4.36, 43.60), (4.36, 43.63), (4.32, 43.62)),
        "salt pans of Aigues-Mortes": ((4.17, 43.50), (4.25, 43.49), (4.26, 43.55), (4.19, 43.55)),
    },
    towns={
        "Montpellier": (43.61, 3.88, 5.5),
        "Nimes": (43.84, 4.36, 4.0),
        "Beziers": (43.34, 3.22, 3.0),
        "Sete": (43.41, 3.69, 2.0),
        "Ales": (44.125, 4.08, 2.6),
        "Lunel": (43.675, 4.135, 1.4),
        "Mauguio": (43.62, 4.01, 1.2),
        "Agde": (43.31, 3.48, 1.6),
        "Frontignan": (43.45, 3.75, 1.4),
        "Clermont-l'Herault": (43.63, 3.43, 1.2),
    },
    karst=(
        ((2.90, 43.84), (3.10, 43.82), (3.30, 43.76), (3.55, 43.80), (3.74, 43.84), (3.72, 43.94), (3.55, 43.99),
         (3.35, 44.06), (3.12, 44.08), (3.05, 43.98), (2.90, 43.95)),
    ),
    areas={
        "ales": (43.95, 44.25, 4.0, 4.3),
        "camargue": (43.45, 43.71, 4.13, 4.38),
        "larzac": (43.86, 43.96, 3.35, 3.50),
    },
    stations={"LGC": (44.243, 4.010), "VLV": (43.795, 4.091), "PZN": (43.438, 3.403)},
    climate=Climate(ATLANTIC, RAIN),
)  # fmt: skip
