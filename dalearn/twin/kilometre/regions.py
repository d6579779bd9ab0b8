"""The 1 km regions by name."""

from dalearn.twin.kilometre.montpellier import MONTPELLIER
from dalearn.twin.kilometre.region import Region
from dalearn.twin.kilometre.salamanca import SALAMANCA
from dalearn.twin.kilometre.toulouse import TOULOUSE

REGIONS: dict[str, Region] = {region.name: region for region in (MONTPELLIER, TOULOUSE, SALAMANCA)}
