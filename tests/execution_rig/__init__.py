"""Execution's core on a test rig: real shared memory, a model venue behind a fake gateway, a clock moved by hand."""

from tests.execution_rig.bench import Bench, Ladder
from tests.execution_rig.gateway import LABEL, FakeGateway
from tests.execution_rig.scenario import ASKS, BIDS, Run, Scenario, both, play, quoting

__all__ = ["ASKS", "BIDS", "LABEL", "Bench", "FakeGateway", "Ladder", "Run", "Scenario", "both", "play", "quoting"]
