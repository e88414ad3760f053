"""Large work as steps over tables in files, run in this process, in many, or on a Ray cluster."""

from prefkit.engine.engines import Engine, open_engine
from prefkit.engine.flow import Flow
from prefkit.engine.parts import Part

__all__ = ["Engine", "Flow", "Part", "open_engine"]
