"""Which samples validate: whole blocks of time, because neighbouring days tell nearly the same story."""

import numpy as np

BLOCKS_WITHOUT_TIME = 40


def validation_blocks(sample_count: int, share: float, seed: int, time: np.ndarray | None = None) -> np.ndarray:
    """(sample,) True for the samples set aside.

    The sample axis is cut into calendar months of ``time`` (sample,) datetime64, or into 40 equal stretches when
    no time is given; out of every 1/``share`` consecutive blocks one is drawn.
    """
    if share == 0.0 or sample_count == 0:
        return np.zeros(sample_count, dtype=bool)
    if time is None:
        block = np.arange(sample_count) * BLOCKS_WITHOUT_TIME // max(sample_count, BLOCKS_WITHOUT_TIME)
    else:
        block = time.astype("datetime64[M]").astype(int)
        block -= block.min()
    generator = np.random.default_rng([seed])
    count = int(block.max()) + 1
    group = np.floor(np.arange(count) * share).astype(int)
    drawn = [generator.choice(np.flatnonzero(group == number)) for number in range(int(group.max()) + 1)]
    return np.isin(block, drawn)
