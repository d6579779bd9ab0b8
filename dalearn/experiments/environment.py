"""What the environment says of the processes of a run: the variables of torchrun, or those of SLURM."""

import os
import re


def use_slurm_environment() -> None:
    """Give the processes of ``srun`` the variables of ``torch.distributed``, unless they are set."""
    number = os.environ.get("SLURM_STEP_NUM_TASKS", "1")
    if "RANK" in os.environ or number == "1":
        return
    job = int(os.environ.get("SLURM_JOB_ID", "0"))
    os.environ |= {
        "RANK": os.environ["SLURM_PROCID"],
        "WORLD_SIZE": number,
        "LOCAL_RANK": os.environ["SLURM_LOCALID"],
        "LOCAL_WORLD_SIZE": re.split(r"[(,]", os.environ.get("SLURM_STEP_TASKS_PER_NODE", "1"))[0],
    }
    os.environ.setdefault("MASTER_ADDR", first_host(os.environ["SLURM_STEP_NODELIST"]))
    os.environ.setdefault("MASTER_PORT", str(15000 + job % 15000))


def first_host(names: str) -> str:
    """The first of the hosts that SLURM writes as ``node[03-07,12],login1``."""
    found = re.match(r"([^,\[]+)(?:\[([^\],-]+)[^\]]*\]([^,\[]*))?", names)
    assert found is not None, names
    return "".join(part or "" for part in found.groups())


def number_of_processes() -> int:
    """How many processes the environment says there are; 0 where it says nothing."""
    use_slurm_environment()
    return int(os.environ.get("WORLD_SIZE", "0")) if "RANK" in os.environ else 0
