"""Land cover and soil of south-western France and northern Spain, region by region, for the twin.

The table is a description in round numbers, written for the twin after the text of Corchia et al. (2023, 2.7 and 3) and
what atlases say of the regions; nothing is taken from a data set.  Vineyards, orchards and scrub are represented as in
the demo: C3 crops or broadleaf trees with bare soil (NO).
"""

import numpy as np

from dalearn.land.vegetation import VEGETATION_TYPES

# clay and sand in % of the soil; the other columns in % of the land by vegetation type: IRR irrigated maize,
# PARK wetlands, ROCK high mountain
REGIONS = """
region                 lat    lon   clay sand   C3  C4 IRR GRAS TEBD TENE PARK  NO ROCK
marais_poitevin      46.00  -1.00    34   15    42  14   0   20    6    0   18   0   0
aunis                45.95  -0.60    27   22    62  14   0   10   14    0    0   0   0
poitou_south         46.00   0.00    24   28    64  10   0   14   12    0    0   0   0
saintonge            45.60  -0.60    25   28    58  16   0   10   16    0    0   0   0
cognac               45.65  -0.15    26   28    62   8   0   10   12    0    0   8   0
angoumois            45.70   0.25    24   32    52  10   0   18   20    0    0   0   0
confolentais         46.00   0.75    18   42    20   6   0   52   22    0    0   0   0
limousin_west        45.85   1.20    15   50    10   4   0   56   30    0    0   0   0
limousin_south       45.45   1.50    16   50    10   3   0   52   35    0    0   0   0
millevaches          45.70   2.00    13   58     0   0   0   44   26   30    0   0   0
combrailles          45.95   2.60    17   48    12   0   0   62   18    8    0   0   0
limagne              45.90   3.20    32   25    62  14   0   16    8    0    0   0   0
livradois            45.55   3.65    14   58     6   0   0   38   14   42    0   0   0
artense              45.40   2.50    17   46     0   0   0   70   22    8    0   0   0
cantal               45.05   2.70    20   40     0   0   0   80   14    6    0   0   0
planeze              45.00   3.10    22   38    10   0   0   76    6    8    0   0   0
margeride            44.85   3.55    12   62     8   0   0   46    8   38    0   0   0
velay                45.05   3.90    20   42    18   0   0   56    8   18    0   0   0
aubrac               44.65   2.95    20   42     0   0   0   78   16    6    0   0   0
causses              44.30   3.30    28   30    16   0   0   44   16   18    0   6   0
mont_lozere          44.45   3.75    12   60     0   0   0   40   22   38    0   0   0
cevennes             44.05   3.70    15   55     0   0   0   18   56   26    0   0   0
larzac               43.90   3.20    28   30    14   0   0   44   30    0    0  12   0
blaye                45.15  -0.45    22   40    44   8   0   14   26    8    0   0   0
double               45.15   0.15    14   58    12   8   0   24   42   14    0   0   0
perigord             45.10   0.80    20   42    20   6   0   30   44    0    0   0   0
perigord_noir        44.85   1.15    20   44    14   4   0   28   54    0    0   0   0
bergerac             44.80   0.50    22   36    38  10   0   28   24    0    0   0   0
entre_deux_mers      44.75  -0.15    22   34    42  10   0   24   24    0    0   0   0
medoc                45.15  -0.85     8   76    20   6   0   12   10   52    0   0   0
correze_basin        45.10   1.55    18   46    14   4   0   46   36    0    0   0   0
causse_quercy        44.60   1.60    30   26    12   0   0   34   46    0    0   8   0
xaintrie             45.10   2.15    16   48     6   0   0   56   38    0    0   0   0
segala               44.25   2.25    20   42    20   6   0   56   18    0    0   0   0
levezou              44.20   2.75    19   44    20   4   0   62   14    0    0   0   0
buch                 44.65  -1.00     3   92     0   6   0    6    0   88    0   0   0
born                 44.30  -1.05     3   91     0   8   0    6    0   86    0   0   0
haute_lande          44.40  -0.70     3   91     0   8  16    6    0   70    0   0   0
sabres               44.13  -0.85     3   90     0   6  12    8    0   74    0   0   0
bazadais             44.35  -0.25     6   82     8   8   8   10    8   58    0   0   0
albret               44.10   0.05     8   76    10  10   6   10    8   56    0   0   0
marensin             43.90  -1.20     3   91     0   8   0    8    6   78    0   0   0
mont_de_marsan       43.90  -0.50     6   80     6  18  18    8    0   50    0   0   0
seignanx             43.62  -1.30    14   50     6  32   0   24   14   24    0   0   0
chalosse             43.65  -0.75    18   36    12  42  10   22   14    0    0   0   0
tursan               43.62  -0.38    18   36    14  38   8   24   16    0    0   0   0
armagnac_west        43.88  -0.12    15   45    32  20   6   18   24    0    0   0   0
basque_coast         43.40  -1.40    22   34     4  18   0   48   30    0    0   0   0
bearn                43.38  -0.60    20   34    10  38   0   34   18    0    0   0   0
bigorre              43.30   0.05    22   32    20  32   0   28   20    0    0   0   0
lannemezan           43.12   0.40    22   34    10  18   0   42   30    0    0   0   0
comminges            43.20   0.80    24   32    24   8   0   40   28    0    0   0   0
volvestre            43.15   1.20    24   30    34   6   0   34   26    0    0   0   0
gers_west            43.65   0.12    25   24    52  16   0   20   12    0    0   0   0
tenareze             43.90   0.35    28   22    66  10   0   14    0    0    0  10   0
gers_centre          43.62   0.60    27   24    68   6   0   16   10    0    0   0   0
lomagne              43.88   0.80    28   22    72   6   0   12    0    0    0  10   0
savene               43.60   0.95    27   24    74   6   0   12    8    0    0   0   0
astarac              43.35   0.55    25   26    46   6   0   30   18    0    0   0   0
agenais              44.20   0.60    24   28    48  12   0   24   16    0    0   0   0
marmande             44.45   0.20    22   32    44  20   0   20   16    0    0   0   0
pays_de_serres       44.40   0.95    26   26    48   6   0   26   20    0    0   0   0
garonne_montauban    43.98   1.20    21   34    54  18   0   18   10    0    0   0   0
savenes              43.82   1.12    22   32    58  18   0   14    0    0    0  10   0
muret                43.40   1.20    20   34    56  18   0   14   12    0    0   0   0
quercy_blanc         44.25   1.35    28   26    42   4   0   26   28    0    0   0   0
gaillac              43.90   1.80    24   28    56   6   0   20   18    0    0   0   0
gresigne             44.05   1.75    24   30    24   4   0   30   42    0    0   0   0
lauragais_north      43.62   1.70    28   24    78   4   0   10    8    0    0   0   0
lauragais_south      43.38   1.80    30   22    80   4   0   10    6    0    0   0   0
ariege_valley        43.15   1.60    26   26    66   6   0   16   12    0    0   0   0
castres              43.62   2.15    25   28    52   4   0   28   16    0    0   0   0
montagne_noire       43.45   2.40    16   50     6   0   0   26   44   24    0   0   0
lacaune              43.68   2.75    16   52     8   0   0   36   28   28    0   0   0
razes                43.12   2.10    28   26    58   0   0   18   24    0    0   0   0
minervois            43.22   2.65    22   38    48   0   0    8   22    0    0  22   0
corbieres            42.92   2.60    24   34    14   0   0   16   52    8    0  10   0
narbonnais           43.12   2.95    22   38    46   0   0    8   14    6    6  20   0
biterrois            43.42   3.25    22   38    52   0   0    8   20    0    0  20   0
garrigues            43.68   3.70    24   34    18   0   0   14   50    0    0  18   0
languedoc_plain      43.55   3.95    24   34    36   4   0   16   26    0    4  14   0
roussillon           42.65   2.90    20   42    50   0   0    8   16    0    0  26   0
emporda              42.20   3.00    22   38    36  14   0   10   32    8    0   0   0
garrotxa             42.20   2.50    24   34    18   0   0   18   46   18    0   0   0
llucanes             42.12   2.00    26   32    34   0   0   12   18   36    0   0   0
solsones             42.12   1.45    26   30    42   0   0    8   10   40    0   0   0
lleida               42.12   0.75    24   30    62   0  14    6   10    0    0   8   0
hoya_de_huesca       42.12  -0.15    24   28    70   0   8    6    8    0    0   8   0
prepyrenees_aragon   42.38   0.20    22   32    28   0   0   14   26   32    0   0   0
cinco_villas         42.15  -0.95    25   28    70   0   8    6    8    0    0   8   0
navarra_south        42.15  -1.75    24   28    64   0  18    6    4    0    0   8   0
navarra_middle       42.45  -1.60    26   26    66   0   0   10   16    8    0   0   0
canal_de_berdun      42.50  -0.90    24   28    40   0   0   14   18   28    0   0   0
navarra_north        42.85  -1.65    24   28    26   0   0   36   38    0    0   0   0
baztan               43.10  -1.60    20   34     0   0   0   42   58    0    0   0   0
irati                42.95  -1.20    20   36     0   0   0   38   50   12    0   0   0
haut_bearn           42.88  -0.45    18   42     0   0   0   42   34   14    0   0  10
haute_bigorre        42.85   0.20    16   48     0   0   0   46   24   16    0   0  14
aran_couserans       42.82   1.00    17   46     0   0   0   40   38   14    0   0   8
sabarthes            42.85   1.65    18   42     6   0   0   38   44   12    0   0   0
sault                42.80   2.05    22   36    10   0   0   34   28   28    0   0   0
cerdanya             42.40   1.90    16   52    12   0   0   40    8   34    0   0   6
conflent             42.55   2.45    17   48     0   0   0   26   44   30    0   0   0
"""
SMALLEST_FRACTION = 0.04  # smaller fractions go to the other types of their cell
POWER = 4.0  # of the inverse distance: a cell takes mostly after its nearest region
KERNEL = 0.05  # degrees, a region counts fully within about this distance


def regions() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Latitude and longitude (region,) in degrees, clay and sand (region, 2) and cover (region, type) as fractions.

    The types are in the order of ``VEGETATION_TYPES``.
    """
    heading, *lines = (line.split() for line in REGIONS.strip().splitlines())
    table = np.array([line[1:] for line in lines], dtype=float)
    cover = np.zeros((len(table), len(VEGETATION_TYPES)))
    for column, name in enumerate(heading[5:], start=4):
        cover[:, VEGETATION_TYPES.index(name)] = table[:, column] / 100.0
    return table[:, 0], table[:, 1], table[:, 2:4] / 100.0, cover


def land_of_cells(latitude: np.ndarray, longitude: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Fractions (cell, type), clay and sand (cell,) between the regions around each cell, weighted by distance.

    What is below ``SMALLEST_FRACTION`` of a cell is left out and the rest scaled to 1.
    """
    north, east, texture, cover = regions()
    apart = np.hypot(
        latitude[:, None] - north, (longitude[:, None] - east) * np.cos(np.radians(float(latitude.mean())))
    )
    weight = (apart**2 + KERNEL**2) ** (-POWER / 2.0)
    weight /= weight.sum(axis=1, keepdims=True)
    fraction = weight @ cover
    fraction = np.where(fraction < SMALLEST_FRACTION, 0.0, fraction)
    clay, sand = (weight @ texture).T
    return fraction / fraction.sum(axis=1, keepdims=True), clay, sand
