from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from actors.strategy.commands import Commands
from messages.commands import Pause, Resume, SetParameter, TakeConfig
from runtime.config import Config, load_config
from trading.quoting.set_values import SetValues

BTC = "BTC-PERPETUAL"


class Quoter:
    is_paused = False

    def pause(self, is_paused: bool) -> None:
        self.is_paused = is_paused


class Log:
    def __init__(self) -> None:
        self.errors: list[str] = []

    def info(self, *_: Any, **__: Any) -> None: ...

    def error(self, event: str, **_: Any) -> None:
        self.errors.append(event)


class Scene:
    """The handlers over one desk; the run's folder can be taken away."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(exist_ok=True)
        self.config = load_config(Path("configs/local.toml"))
        self.log = Log()
        self.levels = self.config.instruments[BTC].strategy.levels
        self.desk: Any = SimpleNamespace(name=BTC, quoter=Quoter(), has_news=False, use_config=self._use_config)
        self.run = folder
        ctx: Any = SimpleNamespace(
            name="strategy",
            run_dir=folder,
            config=self.config,
            topology=SimpleNamespace(strategies={"strategy": (BTC,)}),
            counters=SimpleNamespace(add=lambda name: None),
            log=self.log,
        )
        configured = {BTC: self.config.instruments[BTC].strategy}
        self.set_values = SetValues(folder / "parameters.json", configured, lambda name, config: None)
        self.set_values.load()
        self.commands = Commands(ctx, [self.desk], self.set_values, lambda: None)

    def _use_config(self, config: Any) -> None:
        self.levels = config.levels

    def handle(self, command: Any) -> Any:
        return self.commands.handlers[type(command)](command)


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path / "run")


def edited(config: Config, levels: int) -> Config:
    section = config.instruments[BTC]
    strategy = msgspec.structs.replace(section.strategy, levels=levels)
    return msgspec.structs.replace(config, instruments={BTC: msgspec.structs.replace(section, strategy=strategy)})


def full_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "touch", refuse)
    monkeypatch.setattr(Path, "write_bytes", refuse)


def test_a_reload_is_quoted_by_though_the_disk_refuses_to_keep_what_is_set(
    scene: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given a reload that the session has decided on
    file = tmp_path / "config-next.json"
    file.write_bytes(msgspec.json.encode(edited(scene.config, scene.levels + 1)))
    expected = scene.levels + 1
    full_disk(monkeypatch)
    # If the disk refuses, I expect the desks to go by it all the same, and the answer to say what is not saved
    reply = scene.handle(TakeConfig(str(file), is_trial=False))
    assert reply.ok
    assert "not saved: [Errno 28]" in reply.text
    assert scene.levels == expected
    assert scene.log.errors


def test_a_set_that_the_disk_refuses_leaves_the_desks_as_they_are(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    levels = scene.levels
    with monkeypatch.context() as disk:
        full_disk(disk)
        with pytest.raises(OSError, match="No space"):
            scene.handle(SetParameter(f"{BTC}.levels", str(levels + 1)))
    scene.handle(SetParameter(f"{BTC}.order_size_base", "0.05"))
    assert scene.levels == levels


def test_a_pause_holds_though_the_disk_refuses_to_keep_it(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as disk:
        full_disk(disk)
        reply = scene.handle(Pause())
        assert (scene.commands.is_paused, scene.desk.quoter.is_paused) == (True, True)
        assert reply.ok
        assert "not saved" in reply.text
        assert "No space left on device" in reply.text
        scene.commands.save_pause(now_ns=10_000_000_000)
    # If the disk takes it later, I expect it to be kept over a restart, as soon as it is tried again
    scene.commands.save_pause(now_ns=10_000_000_001)
    assert not Scene(scene.run).commands.is_paused
    scene.commands.save_pause(now_ns=13_000_000_000)
    assert Scene(scene.run).commands.is_paused


def test_a_pause_that_could_not_be_kept_is_not_kept_after_its_end(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as disk:
        full_disk(disk)
        scene.handle(Pause())
    scene.handle(Resume())
    scene.commands.save_pause(now_ns=10_000_000_000)
    assert not Scene(scene.run).commands.is_paused
