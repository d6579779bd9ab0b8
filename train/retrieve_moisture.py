"""Retrieve soil moisture from rasters of Sentinel-1 backscatter, NDVI and incidence angle.

Example::

    python train/retrieve_moisture.py --inversion checkpoints/retrieval_VV.nc --files "scenes/*.nc" \\
        --output plots --block 10

writes one raster of moisture per file, of the format ``sentinel1_raster`` of ``dalearn prepare``.
"""

import glob
import logging
from pathlib import Path

import torch

from dalearn.errors import InputError
from dalearn.experiments.program import run_program
from dalearn.retrieval.inversion_file import load_inversion
from dalearn.retrieval.raster_file import retrieve_raster

LOG = logging.getLogger("dalearn")


def retrieve(
    inversion: Path, files: str, output: Path, block: int = 1, a_priori: str = "none", threads: int = 1
) -> None:
    """Soil moisture of rasters; see dalearn/retrieval/raster_file.py for their variables.

    Args:
        inversion: made by train/train_retrieval.py.
        files: netCDF rasters, with wildcards.
        output: folder for the rasters of moisture, of the same names.
        block: average so many by so many pixels first.
        a_priori: none, dry or wet for all pixels, or file for the variable a_priori_class.
        threads: of the CPU.
    """
    torch.set_num_threads(threads)
    networks = load_inversion(inversion)
    sources = sorted(Path(name) for name in glob.glob(files))
    if not sources:
        raise InputError(f"{files}: no such file; give the rasters of backscatter")
    output.mkdir(parents=True, exist_ok=True)
    for source in sources:
        target = output / source.name
        if target.resolve() == source.resolve():
            raise InputError(f"{source}: the result would replace it; choose another output")
        told = {"inversion": inversion.name, "input_file": source.name, "a_priori": a_priori, "block": block}
        counts = retrieve_raster(networks, source, target, block=block, a_priori=a_priori, attributes=told)
        LOG.info("%s: %s", target, ", ".join(f"{count} {name}" for name, count in counts.items() if count))


if __name__ == "__main__":
    run_program(retrieve)
