"""Which samples validate: whole blocks of time, because neighbouring days tell nearly the same story."""

import numpy as np

STRETCHES = 40


def validation_blocks(sample_count: int, share: float, seed: int, time: np.ndarray | None = None) -> np.ndarray:
    """(sample,) True for the samples set aside.

    The sample axis is cut into calendar months of ``time`` (sample,) datetime64, or into 40 equal stretches when no
    time is given or it covers too few months; out of every 1/``share`` consecutive blocks one is drawn.
    """
    if share == 0.0 or sample_count < 2:
        return np.zeros(sample_count, dtype=bool)
    block = np.arange(sample_count) * STRETCHES // max(sample_count, STRETCHES)
    if time is not None:
        month = time.astype("datetime64[M]").astype(int)
        month -= month.min()
        block = month if month.max() + 1 >= 2.0 / share else block
    count = int(block.max()) + 1
    group = np.floor(np.arange(count) * share).astype(int)
    generator = np.random.default_rng([seed])
    drawn = [generator.choice(np.flatnonzero(group == number)) for number in range(int(group.max()) + 1)]
    return np.isin(block, drawn)
