"""Where this checkout lies. Imports nothing of ours: a kill asks for it before all else."""

from __future__ import annotations

from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
CONFIGS = REPOSITORY / "configs"
