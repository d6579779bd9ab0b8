"""The Toulouse region of Rojas-Munoz et al. (2023): from the Lauragais and the Gers to the Quercy and the Cantal."""

from dalearn.twin.kilometre.region import Region
from dalearn.twin.weather import SOUTHERN_FRANCE

LANDS = """
region                 lat    lon   clay sand   C3  C4 IRR GRAS TEBD TENE PARK  NO VINE RICE
gers_west            43.60   0.55    26   25    58   6   8   20    8    0    0   0    0    0
gers_south           43.32   0.60    24   28    40   8   6   28   18    0    0   0    0    0
lomagne              43.92   0.75    28   24    72   4   6    8   10    0    0   0    0    0
save                 43.55   0.95    27   24    70   2  10   10    8    0    0   0    0    0
volvestre            43.28   1.20    22   32    40   6  10   24   20    0    0   0    0    0
garonne_south        43.40   1.25    20   38    44   4  28   14   10    0    0   0    0    0
garonne_north        43.85   1.25    21   36    44   4  32   10   10    0    0   0    0    0
garonne_agen         44.15   0.62    22   32    34   4  26   14   12    0    0   0   10    0
toulouse             43.60   1.42    24   30    60   2   8   18   12    0    0   0    0    0
lauragais            43.42   1.80    30   22    82   0   6    6    6    0    0   0    0    0
revel                43.48   2.02    28   25    62   4  14   12    8    0    0   0    0    0
montagne_noire       43.42   2.35    16   52     4   0   0   30   40   26    0   0    0    0
gaillac              43.92   1.90    24   32    34   2   4   18   12    0    0   0   30    0
albigeois            43.90   2.20    26   28    52   4   4   26   14    0    0   0    0    0
castres              43.62   2.20    24   30    46   4   6   28   16    0    0   0    0    0
sidobre              43.66   2.50    14   56     4   0   0   38   36   22    0   0    0    0
lacaune              43.70   2.80    17   50     0   0   0   42   34   24    0   0    0    0
levezou              44.20   2.75    19   44    20   4   0   62   14    0    0   0    0    0
segala               44.25   2.25    20   42    20   6   0   56   18    0    0   0    0    0
rouergue             44.40   2.60    24   34    24   2   0   54   20    0    0   0    0    0
aubrac               44.65   2.95    20   42     0   0   0   78   16    6    0   0    0    0
cantal               45.02   2.65    20   40     0   0   0   80   14    6    0   0    0    0
xaintrie             45.08   2.15    16   48     6   0   0   56   38    0    0   0    0    0
chataigneraie        44.80   2.25    17   46     8   2   0   58   32    0    0   0    0    0
causse_quercy        44.60   1.65    30   26     8   0   0   36   46    0    0  10    0    0
bouriane             44.70   1.20    18   46    12   0   0   24   58    6    0   0    0    0
quercy_blanc         44.28   1.25    28   24    46   0   4   18   20    0    0   2   10    0
cahors               44.50   1.25    26   28    20   0   0   20   40    0    0   2   18    0
tarn_et_garonne      44.05   1.35    23   32    42   2  18   14    8    0    0   0   16    0
agenais              44.35   0.75    26   26    50   4   8   18   16    0    0   0    4    0
perigord_noir        44.88   1.15    20   44    14   4   0   28   54    0    0   0    0    0
brive                45.08   1.55    18   46    14   4   0   46   36    0    0   0    0    0
bergerac             44.80   0.55    22   36    32   6   4   22   20    0    0   0   16    0
perigord             45.08   0.80    20   42    20   6   0   30   44    0    0   0    0    0
"""

TOULOUSE = Region(
    name="toulouse",
    box=(43.25, 45.14, 0.47, 3.11),
    lands=LANDS,
    massifs={
        "Cantal": (45.08, 2.75, 950, 0.28),
        "Aubrac": (44.65, 3.00, 800, 0.28),
        "Levezou and Segala": (44.20, 2.60, 500, 0.45),
        "Lacaune": (43.70, 2.75, 580, 0.24),
        "Montagne Noire": (43.45, 2.35, 500, 0.18),
        "Quercy and Perigord": (44.75, 1.40, 150, 0.60),
        "hills of Gascony": (43.50, 0.60, 150, 0.50),
        "Lauragais": (43.40, 1.75, 150, 0.40),
    },
    plain=80.0,
    waters={
        "lake of Saint-Nicolas": ((1.05, 44.08), (1.09, 44.08), (1.09, 44.10), (1.05, 44.10)),
        "lakes of the Dordogne": ((2.30, 45.12), (2.36, 45.10), (2.36, 45.13), (2.30, 45.15)),
    },
    towns={
        "Toulouse": (43.60, 1.44, 11.0),
        "Montauban": (44.02, 1.36, 3.0),
        "Albi": (43.93, 2.15, 3.0),
        "Castres": (43.61, 2.24, 2.6),
        "Agen": (44.20, 0.62, 3.0),
        "Auch": (43.65, 0.58, 2.0),
        "Cahors": (44.45, 1.44, 1.8),
        "Rodez": (44.35, 2.57, 2.2),
        "Brive": (45.15, 1.53, 3.0),
        "Aurillac": (44.93, 2.44, 2.0),
    },
    karst=(((1.50, 44.40), (1.80, 44.36), (1.95, 44.60), (1.80, 44.86), (1.58, 44.88), (1.48, 44.65)),),
    areas={"garonne": (43.75, 44.05, 1.05, 1.35), "lauragais": (43.33, 43.58, 1.65, 1.95)},
    stations={"LHS": (43.547, 0.888), "SVN": (43.825, 1.177), "SFL": (43.442, 1.880), "MTP": (43.573, 1.374)},
    climate=SOUTHERN_FRANCE,
)  # fmt: skip
