"""One TOML file → one tree of frozen structs, read once. Units stand in the keys; unknown keys are refused.

Every package declares its own section; this module assembles them and turns every fault into one line that
names the file, the key, the value and what was expected. Secrets never stand in a configuration.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from domain.errors import ConfigError
from domain.validation import explain
from runtime.config_checks import check_config
from runtime.plain_words import in_plain_words
from runtime.recordings.config import RecorderConfig
from runtime.topology import Topology
from trading.hedging.comovement import ComovementConfig
from trading.hedging.config import HedgeConfig
from trading.orders.config import ExecutionConfig
from trading.quoting.config import QuotingConfig
from trading.quoting.dotted import overlaid
from trading.quoting.presets import with_preset
from trading.risk.config import RiskConfig
from venues.config import VenueConfig

SESSION_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,23}")
STRATEGY_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,15}")


class InstrumentConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[instruments."NAME"]: what to do with one instrument; `strategy` overrides single keys of [strategy]."""

    quote: Annotated[bool, Meta(description="false: follow the market, do not quote")] = True
    strategy: QuotingConfig = QuotingConfig()


class StrategyProcessConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[strategies.NAME]: a strategy process of its own, the actor `strategy.NAME`; without any, one quotes everything.

    `strategy` overrides single keys of [strategy] for its instruments; [instruments."NAME".strategy] overrides both.
    """

    instruments: Annotated[
        list[str],
        Meta(min_length=1, description="its instruments, by their names in [instruments]; each has one strategy"),
    ]
    strategy: QuotingConfig = QuotingConfig()


class SupervisorConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[supervisor]: starting, watching, restarting, stopping."""

    pin_cores: Annotated[bool, Meta(description="pin each actor, to a core of its own where there are enough")] = True
    suspect_ms: Annotated[
        int, Meta(ge=100, le=10_000, description="silence of an actor after which it is shown as suspect")
    ] = 400
    dead_ms: Annotated[
        int,
        Meta(
            ge=200,
            le=60_000,
            description="silence of an actor after which it is killed and started again; more than suspect_ms",
        ),
    ] = 2000
    start_deadline_s: Annotated[
        float,
        Meta(gt=0, le=600, description="an actor not live by then counts as hung; compiling kernels takes a minute"),
    ] = 120.0
    backoff_ms_min: Annotated[
        int, Meta(ge=1, le=60_000, description="pause before the second restart in the window; it doubles")
    ] = 100
    backoff_ms_max: Annotated[int, Meta(ge=1, le=600_000, description="longest pause before a restart")] = 5000
    restarts_max: Annotated[
        int,
        Meta(
            ge=0,
            le=10_000,
            description="more deaths of an actor than this within the window end the session; those of the recorder "
            "end the recording alone",
        ),
    ] = 10
    restart_window_s: Annotated[float, Meta(gt=0, le=86_400, description="window in which deaths are counted")] = 300.0
    standby: Annotated[
        list[Literal["market_data", "strategy", "risk", "execution"]],
        Meta(description="actors of which a second process waits, prepared, to take over at once; it holds memory"),
    ] = []
    stop_deadline_s: Annotated[
        float, Meta(gt=0, le=300, description="time for execution to cancel, confirm and report at the end")
    ] = 15.0
    flatten_on_shutdown: Annotated[bool, Meta(description="bring every position to zero before the session ends")] = (
        False
    )

    runs_kept_days: Annotated[
        int,
        Meta(
            ge=0,
            le=36_500,
            description="runs of the session that ended or were killed longer ago go at a start; 0 = none ever",
        ),
    ] = 0

    def __post_init__(self) -> None:
        if self.dead_ms <= self.suspect_ms:
            raise ValueError(f"dead_ms ({self.dead_ms}) must be larger than suspect_ms ({self.suspect_ms})")
        if self.backoff_ms_max < self.backoff_ms_min:
            raise ValueError(
                f"backoff_ms_max ({self.backoff_ms_max}) must not be below backoff_ms_min ({self.backoff_ms_min})"
            )


class ExchangeConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[exchange]: the local exchange that the supervisor starts when the venue is `local`."""

    port: Annotated[int, Meta(ge=0, le=65_535, description="port on loopback; 0 = any free one")] = 0
    seed: Annotated[int, Meta(ge=0, description="of the background flow: same seed, same flow")] = 1
    speed: Annotated[float, Meta(gt=0, le=1000, description="how fast flow or recording run; 1 = real time")] = 1.0
    latency_ms: Annotated[float, Meta(ge=0, le=10_000, description="delay of every request and answer")] = 0.0
    replay: Annotated[list[str], Meta(description="parts of one recording, in order; empty = built-in flow")] = []
    underlyings: Annotated[list[Literal["BTC", "ETH"]], Meta(min_length=1, description="what is listed at all")] = (
        msgspec.field(default_factory=lambda: ["BTC"])
    )
    expiries: Annotated[
        list[Literal["daily", "weekly", "quarterly"]],
        Meta(description="one future each, with its rolls and options"),
    ] = msgspec.field(default_factory=lambda: ["quarterly"])
    correlation: Annotated[float, Meta(ge=-1, le=1, description="of the moves of ETH with those of BTC")] = 0.8
    maker_fee_bps: Annotated[float, Meta(ge=-10, le=100, description="fee of resting orders")] = 1.0
    taker_fee_bps: Annotated[float, Meta(ge=-10, le=100, description="fee of crossing orders")] = 5.0


REALTIME_PRIORITY_MAX = 40  # below what the kernel's own threads take (50)


class RuntimeConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[runtime]: how every process of ours lives."""

    wait: Annotated[
        Literal["auto", "spin", "block"],
        Meta(description="how actors wait for a tick; auto spins only with a core to itself"),
    ] = "auto"
    early_wake: Annotated[
        bool,
        Meta(
            description="wake strategy and execution when a book's frame comes, before it is decoded; for a machine "
            "that does nothing else: up to 0.3 ms of a core in each of them, at most 1,000 times a second"
        ),
    ] = False
    nice: Annotated[
        int,
        Meta(
            ge=-20,
            le=19,
            description="niceness of market_data, strategy, execution and risk; below 0 they come before "
            "other programs of the machine, where the system allows it; 0 = as the supervisor does",
        ),
    ] = 0
    realtime_priority: Annotated[
        int,
        Meta(
            ge=0,
            le=REALTIME_PRIORITY_MAX,
            description="SCHED_FIFO priority of market_data, strategy, execution and risk, and one more for the "
            "supervisor, where the system allows it: they come before every ordinary program, and do not spin; "
            "0 = ordinary",
        ),
    ] = 0
    lock_memory: Annotated[
        bool,
        Meta(description="keep the memory of market_data, strategy, execution and risk from being swapped or dropped"),
    ] = False
    log_level: Annotated[
        Literal["debug", "info", "warning", "error"], Meta(description="least important line that is logged")
    ] = "info"


class Config(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The whole configuration of a session. `session` and `path` come from the file's name.

    `is_market_data_only`: nobody quotes, market data is recorded; `./cli.py record` sets it.
    """

    instruments: dict[str, InstrumentConfig]
    session: str
    path: str
    venue: VenueConfig = VenueConfig()
    strategy: QuotingConfig = QuotingConfig()
    strategies: dict[str, StrategyProcessConfig] = {}
    hedge: dict[str, HedgeConfig] = {}
    comovement: ComovementConfig = ComovementConfig()
    risk: RiskConfig = RiskConfig()
    execution: ExecutionConfig = ExecutionConfig()
    supervisor: SupervisorConfig = SupervisorConfig()
    exchange: ExchangeConfig = ExchangeConfig()
    recorder: RecorderConfig = RecorderConfig()
    runtime: RuntimeConfig = RuntimeConfig()
    is_market_data_only: bool = False

    @property
    def topology(self) -> Topology:
        """The processes that this configuration asks for, and what they share."""
        strategies = {name: process.instruments for name, process in self.strategies.items()}
        return Topology(
            tuple(self.instruments),
            strategies,
            tuple(self.hedge),
            is_recorded=self.recorder.enabled,
            is_market_data_only=self.is_market_data_only,
        )


def load_config(path: Path, *, replay: list[str] | None = None) -> Config:
    """Read, merge and check a configuration.

    Args:
        path: TOML file; its stem is the session's name.
        replay: recordings that replace `exchange.replay`.

    Raises:
        ConfigError: with one line: file, key, value, what was expected.
    """
    tree = _read_toml(path)
    session = path.stem
    if not SESSION_NAME.fullmatch(session):
        raise ConfigError(
            f"{path}: the file name is the session's name: lower-case letters, digits, - and _, at most 24"
        )
    for reserved in ("session", "path", "is_market_data_only"):
        if reserved in tree:
            raise ConfigError(f"{path}: unknown key `{reserved}`; it is not the file that says it")
    _expand_strategy_files(tree)
    if replay:
        exchange_section = tree.setdefault("exchange", {})
        if isinstance(exchange_section, dict):
            exchange_section["replay"] = replay
    named = {"session": session, "path": str(path.resolve())}
    _converted(path, {**tree, **named, "instruments": {}})  # a fault in [strategy] is not the instruments'
    _merge_strategies(path, tree)
    _merge_instruments(path, tree)
    for section in (tree, *tree.get("strategies", {}).values()):
        section["strategy"] = with_preset(section.get("strategy", {}))
    config = _converted(path, {**tree, **named})
    check_config(path, config)
    return config


def read_config(path: Path) -> Config:
    """Return a configuration that a supervisor has checked and written as JSON."""
    return msgspec.json.decode(path.read_bytes(), type=Config)


def _converted(path: Path, tree: dict[str, Any]) -> Config:
    try:
        return msgspec.convert(tree, Config)
    except msgspec.ValidationError as error:
        raise ConfigError(f"{path}: {in_plain_words(explain(str(error), tree, Config))}") from None


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text())
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such configuration file; see configs/ for examples") from None
    except IsADirectoryError:
        raise ConfigError(f"{path}: a folder, not a configuration file") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not valid TOML: {error}") from None
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}; mend that, or name another file") from None


def _expand_strategy_files(tree: dict[str, Any]) -> None:
    """Let `strategy = "my_strategy.py"` stand for a table with nothing but that file."""
    named = [tree]
    for table in ("instruments", "strategies"):
        sections = tree.get(table)
        named += (
            [section for section in sections.values() if isinstance(section, dict)]
            if isinstance(sections, dict)
            else []
        )
    for section in named:
        if isinstance(section.get("strategy"), str):
            section["strategy"] = {"file": section["strategy"]}


def _merge_strategies(path: Path, tree: dict[str, Any]) -> None:
    """Lay the keys of [strategies.NAME.strategy] over [strategy]. Faults of type were refused before."""
    for name, section in tree.get("strategies", {}).items():
        if not STRATEGY_NAME.fullmatch(name):
            raise ConfigError(f"{path}: [strategies.{name}]: a name may have letters, digits, - and _, at most 16")
        section["strategy"] = overlaid(tree.get("strategy", {}), section.get("strategy", {}))


def _merge_instruments(path: Path, tree: dict[str, Any]) -> None:
    """Lay each instrument's own strategy keys over those of its strategy."""
    instruments = tree.get("instruments")
    if not isinstance(instruments, dict) or not instruments:
        raise ConfigError(f'{path}: no instruments: add a section [instruments."BTC-PERPETUAL"]')
    for name, section in instruments.items():
        shared = _strategy_keys_of(name, tree)
        if isinstance(section, dict) and isinstance(shared, dict) and isinstance(section.get("strategy", {}), dict):
            section["strategy"] = with_preset(overlaid(shared, section.get("strategy", {})))
    if not any(isinstance(section, dict) and section.get("quote", True) for section in instruments.values()):
        raise ConfigError(f"{path}: every instrument has quote = false: nothing to do")


def _strategy_keys_of(instrument: str, tree: dict[str, Any]) -> Any:
    for section in tree.get("strategies", {}).values():
        if instrument in section["instruments"]:
            return section["strategy"]
    return tree.get("strategy", {})
