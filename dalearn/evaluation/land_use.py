"""Land use of the cells in figures and statements, where a run knows it."""

from dalearn.evaluation.cells import Cells
from dalearn.evaluation.style import BLACK, BLUE, GREEN, GREY, ORANGE, PURPLE, SKY, VERMILLION

IRRIGATED = ("flooded", "sprinkled")
FLOODED, KARST = "flooded", "karst"
# The numbers of Figures 12 and 13 of Rojas-Munoz et al. (2023).
OUTLINED = {KARST: "1", FLOODED: "2"}
_COLOURS = {
    "flooded": BLUE, "sprinkled": SKY, "rain-fed": ORANGE, "vineyard": PURPLE, "forest": GREEN, "karst": GREY,
}  # fmt: skip
_OTHERS = (VERMILLION, BLACK, "#F0E442", "#8C6D31", "#BBBBBB")


def land_uses(cells: Cells) -> list[str]:
    """The land uses that occur, irrigated ones first, then by name; "" left out."""
    found = {name for name in cells.land_use if name}
    return [name for name in _COLOURS if name in found] + sorted(found - set(_COLOURS))


def land_use_colours(names: list[str]) -> dict[str, str]:
    """A colour of its own for each of ``names``, the same in all figures of a run."""
    others = [name for name in names if name not in _COLOURS]
    return {name: _COLOURS.get(name) or _OTHERS[others.index(name) % len(_OTHERS)] for name in names}
