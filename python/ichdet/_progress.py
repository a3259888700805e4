"""What `progress=True` shows."""

from __future__ import annotations


class Bar:
    """A bar of tqdm's that a long call fills, stage after stage."""

    def __init__(self) -> None:
        try:
            from tqdm.auto import tqdm
        except ImportError as missing:
            raise ImportError("progress=True needs the package tqdm: pip install tqdm") from missing
        self._bar = tqdm(total=1.0, bar_format="{desc}: {percentage:3.0f}%|{bar}| {elapsed}<{remaining}")
        self._stage = ""

    def __call__(self, stage: str, fraction: float) -> None:
        if stage != self._stage:
            self._stage = stage
            self._bar.reset()
            self._bar.set_description(stage, refresh=False)
        self._bar.update(min(fraction, 1.0) - self._bar.n)

    def close(self) -> None:
        self._bar.close()
