"""The machine: what it is, and how fast it multiplies and copies."""

from __future__ import annotations

import os
import platform
import time
from importlib import metadata
from pathlib import Path
from typing import Any

PACKAGES = ["ichdet", "torch", "numpy", "monai", "nnunetv2", "blast-ct", "onnxruntime", "openvino", "pydicom", "simpleitk",
            "scipy", "scikit-image", "scikit-learn", "grad-cam", "saliency", "timm"]
EXTENSIONS = ["avx2", "avx512f", "avx512_vnni", "avx512_bf16", "amx_bf16", "amx_int8"]


def describe() -> dict[str, Any]:
    """CPU, instruction set, cores, governor, memory, versions."""
    cpu = dict(line.split(":", 1) for line in Path("/proc/cpuinfo").read_text().split("\n\n")[0].splitlines() if ":" in line)
    cpu = {key.strip(): value.strip() for key, value in cpu.items()}
    flags = set(cpu.get("flags", "").split())
    governor = Path("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")
    memory = next(int(line.split()[1]) for line in open("/proc/meminfo") if line.startswith("MemTotal"))
    return {
        "cpu": cpu.get("model name", platform.machine()),
        "isa": [name for name in EXTENSIONS if name in flags],
        "cores": len(os.sched_getaffinity(0)),
        "governor": governor.read_text().strip() if governor.exists() else "not told",
        "memory_gib": round(memory / 2**20, 1),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "packages": {name: version for name in PACKAGES if (version := _version(name))},
    }


def kind(machine: dict[str, Any]) -> str:
    """The family by which ratios are kept: they hold from machine to machine of one, and not between them."""
    isa = machine["isa"]
    return "amx" if "amx_bf16" in isa else "avx512" if "avx512f" in isa else "avx2" if "avx2" in isa else "other"


def _version(name: str) -> str | None:
    if name == "ichdet":
        import ichdet

        return str(ichdet.__version__)
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


class Rates:
    """The machine's own rates on some threads: products of 2048 x 2048 in LibTorch, copies of 128 MiB. The best counts."""

    def __init__(self, threads: int) -> None:
        import torch

        torch.set_num_threads(threads)
        self._products = {name: [torch.randn(2048, 2048).to(getattr(torch, name)) for _ in range(2)]
                          for name in ("float32", "bfloat16")}
        self._copy = torch.zeros(2, 32 << 20)
        self.best = {name: 0.0 for name in ("float32", "bfloat16", "copy")}  # FLOP/s, and bytes/s read and written

    def measure(self) -> None:
        for name, (a, b) in self._products.items():
            self._keep(name, 2 * 2048**3, lambda a=a, b=b: a @ b)
        self._keep("copy", self._copy.nbytes, lambda: self._copy[0].copy_(self._copy[1]))

    def _keep(self, name: str, work: float, call: Any) -> None:
        start = time.perf_counter()
        call()
        self.best[name] = max(self.best[name], work / (time.perf_counter() - start))
