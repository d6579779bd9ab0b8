"""The Salamanca region of Rojas-Munoz et al. (2023): the Duero basin between the Sierra de Gredos and Leon."""

import numpy as np

from dalearn.twin.kilometre.region import Region
from dalearn.twin.rainfall import RainClimate
from dalearn.twin.weather import Climate

LANDS = """
region                 lat    lon   clay sand   C3  C4 IRR GRAS TEBD TENE PARK  NO VINE RICE
la_armuna            41.08  -5.65    26   40    84   0   4    6    4    0    0   2    0    0
remedhus             41.30  -5.40    18   62    64   2   8    8    4    4    0   2    8    0
toro                 41.48  -5.42    18   62    46   2  14    8    4    4    0   2   20    0
rueda                41.38  -4.95    16   66    44   2  10    6    0   12    0   2   24    0
tierra_de_campos     42.05  -5.00    30   30    88   0   4    6    0    0    0   2    0    0
campos_west          41.90  -5.55    24   40    78   0   6   10    4    0    0   2    0    0
esla                 42.25  -5.55    20   44    36   4  36   14   10    0    0   0    0    0
orbigo               42.45  -5.85    18   46    22   4  42   18   14    0    0   0    0    0
valladolid           41.60  -4.70    22   48    54   2  12    8    4   12    0   4    4    0
tierra_de_pinares    41.25  -4.40    10   78    28   2  10   10    0   46    0   4    0    0
segovia              41.00  -4.15    18   58    44   0   2   26   12   14    0   2    0    0
guadarrama           40.78  -4.10    12   66     0   0   0   34   14   52    0   0    0    0
morana               41.00  -4.90    18   58    80   0   8    8    0    4    0   0    0    0
avila                40.62  -4.85    14   64    14   0   0   46   24    8    0   8    0    0
gredos               40.38  -5.35    12   66     0   0   0   52   18   20    0  10    0    0
bejar                40.42  -5.75    13   64     0   0   0   40   48   12    0   0    0    0
tormes_valley        40.92  -5.50    20   50    40   4  32   14    6    0    4   0    0    0
campo_charro         40.85  -6.05    16   58    14   0   0   48   38    0    0   0    0    0
dehesa_west          40.80  -6.50    16   58     8   0   0   48   44    0    0   0    0    0
sierra_de_francia    40.50  -6.10    14   58     0   0   0   20   52   28    0   0    0    0
sayago               41.30  -6.30    14   62    14   0   0   46   34    0    0   6    0    0
aliste               41.75  -6.35    16   54    14   0   0   38   34   12    0   2    0    0
sanabria             42.10  -6.60    15   56     2   0   0   34   44   20    0   0    0    0
tabara               41.90  -5.95    18   50    34   0   2   26   30    8    0   0    0    0
cerrato              41.85  -4.30    28   32    68   0   2   14   12    0    0   4    0    0
duero_east           41.62  -4.10    22   46    38   2  12    8    4   12    0   2   22    0
cabrera              42.45  -6.40    16   54     0   0   0   32   46   22    0   0    0    0
"""

# Round numbers in the manner of the climatological normals: the western hills, Salamanca, Valladolid.
RAIN = RainClimate(
    longitudes=np.array([-6.7, -5.5, -4.7]),
    rain=np.array(
        [
            [80, 64, 50, 66, 62, 34, 16, 14, 44, 86, 84, 92],
            [31, 27, 22, 39, 48, 34, 16, 11, 32, 42, 42, 42],
            [40, 27, 22, 46, 49, 29, 13, 16, 31, 55, 52, 53],
        ],
        dtype=float,
    ),
    days=np.array(
        [
            [9.4, 8.0, 7.4, 9.2, 8.8, 4.8, 2.4, 2.2, 5.2, 9.0, 9.2, 10.0],
            [6.5, 5.5, 4.9, 7.1, 7.9, 4.6, 2.4, 2.1, 4.4, 6.9, 7.1, 7.2],
            [7.0, 5.6, 5.0, 8.0, 8.0, 4.4, 2.4, 2.4, 4.4, 7.6, 7.6, 8.2],
        ]
    ),
)

SALAMANCA = Region(
    name="salamanca",
    box=(40.36, 42.56, -6.79, -3.93),
    lands=LANDS,
    massifs={
        "Gredos": (40.32, -5.35, 950, 0.20),
        "Bejar": (40.36, -5.72, 750, 0.16),
        "Francia": (40.48, -6.12, 500, 0.16),
        "Avila": (40.60, -4.95, 420, 0.22),
        "Guadarrama": (40.78, -4.05, 700, 0.20),
        "Segovia": (41.00, -4.10, 200, 0.30),
        "Culebra and Sanabria": (42.05, -6.65, 400, 0.30),
        "Cabrera": (42.45, -6.55, 650, 0.25),
        "gorge of the Duero": (41.30, -6.60, -180, 0.20),
    },
    plain=760.0,
    waters={
        "reservoir of Almendra": ((-6.32, 41.24), (-6.18, 41.24), (-6.12, 41.30), (-6.28, 41.30)),
        "reservoir of Ricobayo": ((-5.99, 41.52), (-5.92, 41.55), (-5.88, 41.72), (-5.93, 41.72)),
    },
    towns={
        "Salamanca": (40.965, -5.664, 3.5),
        "Valladolid": (41.652, -4.728, 5.0),
        "Zamora": (41.503, -5.745, 2.5),
        "Avila": (40.656, -4.700, 2.5),
        "Segovia": (40.948, -4.118, 2.5),
        "Palencia": (42.010, -4.530, 2.8),
        "Medina del Campo": (41.310, -4.910, 1.8),
    },
    karst=(),
    areas={"remedhus": (41.13, 41.48, -5.62, -5.20)},
    stations={
        "Canizal": (41.20, -5.36), "Carretoro": (41.27, -5.38), "El Coto": (41.38, -5.43),
        "El Tomillar": (41.35, -5.49), "La Atalaya": (41.15, -5.40), "Las Arenas": (41.37, -5.55),
        "Las Brozas": (41.45, -5.36), "Las Tres Rayas": (41.28, -5.59), "Las Victorias": (41.43, -5.37),
        "Paredinas": (41.46, -5.41), "Zamarron": (41.24, -5.54),
    },
    climate=Climate(9.0, RAIN),
)  # fmt: skip
