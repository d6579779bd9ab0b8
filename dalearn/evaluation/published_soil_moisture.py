"""Tables 2 and 3 of Rojas-Munoz et al. (2023) as printed, and this run beside them."""

import pandas as pd

from dalearn.evaluation.cells import Cells
from dalearn.evaluation.seasons import ALL
from dalearn.evaluation.station_scores import IN_SITU, PAIR

NO_AREA, ALL_STATIONS = "outside the sub-domains", "all stations"
PAPER_STATION = "LGC"  # La Grand Combe
# Table 2, first minus second of each pair: R, ubRMSD, RMSD, MB (m3 m-3), N
STATION_SCORES = {
    "OL vs. in situ": (0.87, 0.043, 0.165, 0.159, 165),
    "S1 vs. in situ": (0.85, 0.024, 0.028, -0.013, 163),
    "S1 vs. OL": (0.71, 0.058, 0.156, -0.145, 164),
}
# Table 3: product, region with network and period, average R, average ubRMSD (m3 m-3), stations
PRODUCTS = (
    ("S1, 1 km", "Toulouse, SMOSMANIA, 2017-2019", 0.57, 0.072, 4),
    ("S1, 1 km", "Montpellier, SMOSMANIA, 2017-2019", 0.64, 0.05, 3),
    ("S1, 1 km", "Salamanca, REMEDHUS, 2017-2019", 0.48, 0.053, 19),
    ("S1, 1 km [66]", "Southern France, SMOSMANIA and Montpellier, 2016-2017", 0.59, 0.056, 8),
    ("SMAP-S1, 1 km [66]", "Southern France, SMOSMANIA and Montpellier, 2016-2017", 0.48, 0.043, 8),
    ("SMAP-S1, 1 km [67]", "Salamanca, REMEDHUS (rainfed crops only), 2015-2017", 0.86, 0.04, 7),
    ("ASCAT, 25 km [66]", "Southern France, SMOSMANIA and Montpellier, 2016-2017", 0.49, 0.062, 8),
    ("SMOS-IC, 25 km [66]", "Southern France, SMOSMANIA and Montpellier, 2016-2017", 0.57, 0.053, 8),
    ("SMOS, 25 km [67]", "Salamanca, REMEDHUS, 2015-2017", 0.65, 0.062, 6),
    ("SMAP, 36 km [66]", "Southern France, SMOSMANIA and Montpellier, 2016-2017", 0.69, 0.047, 8),
    ("SMAP, 36 km [67]", "Salamanca, REMEDHUS, 2015-2017", 0.7, 0.058, 6),
)


def station_beside_published(table: pd.DataFrame, satellite: str, station: str) -> pd.DataFrame:
    """Table 2: the pairs of the paper at ``station``, those printed for La Grand Combe beside those of this run."""
    here = table[(table["station"] == station) & (table["season"] == ALL)].set_index(PAIR)
    scores = [name for name in here if str(name).startswith(("R", "ubRMSD", "MB")) and name not in ("R low", "R high")]
    order = sorted([*scores, "N"], key=_position)
    rows = []
    for pair, printed in STATION_SCORES.items():
        own = pair.replace("S1", satellite)
        row: dict[str, object] = {PAIR: pair}
        for name, value in zip(order, printed, strict=True):
            row |= {f"{name}, paper ({PAPER_STATION})": value, f"{name}, here ({station})": here.loc[own, name]}
        rows.append(row | {"p-value, here": here.loc[own, "p-value"]})
    return pd.DataFrame(rows)


def products_beside_published(table: pd.DataFrame, satellite: str, cells: Cells, period: str) -> pd.DataFrame:
    """Table 3: averages over the stations of every area of this run, then the rows of the paper."""
    own = table[(table[PAIR] == f"{satellite} vs. {IN_SITU}") & (table["season"] == ALL)]
    area = {cells.label(cell): cells.area[cell] for cell in range(cells.count) if cells.station[cell]}
    place = own["station"].map(lambda name: area.get(name) or NO_AREA)
    groups = list(own.groupby(place, sort=False))
    if len(groups) > 1:
        groups.append((ALL_STATIONS, own))
    if len(groups) == 1 and groups[0][0] == NO_AREA:
        groups = [(ALL_STATIONS, own)]
    deviation = next(name for name in own if str(name).startswith("ubRMSD"))
    rows = [
        ("this run", satellite, f"{name}, {period}", group["R"].mean(), group[deviation].mean(), group["R"].count())
        for name, group in groups
    ]
    rows += [("paper", *product) for product in PRODUCTS]
    columns = ["source", "product", "region, network, period", "average R", f"average {deviation}", "stations"]
    return pd.DataFrame(rows, columns=columns)


def _position(name: object) -> int:
    return ("R", "ubRMSD", "RMSD", "MB", "N").index(str(name).split(" ")[0])
