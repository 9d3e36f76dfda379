"""The strategy `probability`: trades where the expected move beats its costs; a probability alone is no edge."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Annotated, ClassVar, Literal

from msgspec import Meta

from vtframe.api import BundleInfo, ConfigError, Fault, LaneView, Strategy
from vtframe.builtin.strategies.sizing import Lots, kelly_notional, volatility_notional
from vtframe.domain import Exits, InstrumentKind, Intent, OrderType, Prediction, TimeInForce, Top

Probability = Annotated[float, Meta(ge=0, le=1)]
Positive = Annotated[float, Meta(gt=0)]
NotNegative = Annotated[float, Meta(ge=0)]


class ProbabilityStrategy(Strategy):
    """Enters with the more probable direction, and only where

        |sum of p x expected move| - fees - half-spreads > min_edge_bps     (all in bps of the mid)

    Expected moves are the bundle's, per class, measured out of sample. ``costs = "round_trip"`` charges what getting in and
    out again costs; ``"entry"`` only the way in. A position is closed when the probability of its direction falls under
    ``exit``, and turned when the other direction may be entered. It never adds to a position. How it works: docs/strategies.md.
    """

    name: ClassVar[str] = "probability"
    enter: Probability = 0.6
    exit: Probability = 0.45
    min_edge_bps: float = 0.0
    costs: Literal["round_trip", "entry"] = "round_trip"
    assume_fees_bps: NotNegative | None = None  # per fill, for the decision only: the ledger charges the instrument's fees
    order: Literal["take", "make"] = "take"  # market orders, or limit orders that join the best price
    sizing: Literal["kelly", "volatility"] = "kelly"
    kelly_fraction: Annotated[float, Meta(gt=0, le=1)] = 0.25
    cap: Annotated[float, Meta(gt=0, le=20)] = 1.0  # largest position, as a share of the lane's capital
    volatility_column: str = ""
    volatility_target: Positive | None = None  # in the unit of that column
    stop_loss_bps: Positive | None = None
    take_profit_bps: Positive | None = None
    horizon_exit: bool = True  # close after the model's horizon
    horizon_ms: Positive | None = None  # another horizon than the model's

    def check(self, model: BundleInfo, columns: Sequence[str]) -> Sequence[Fault]:
        """Classes that it cannot find, moves that the bundle does not state, settings that do not go together."""
        faults = []
        if self.exit > self.enter:
            faults.append(Fault(key="exit", problem=f"exit {self.exit:g} is above enter {self.enter:g}", hint="lower exit"))
        faults.extend(
            Fault(
                key="use",
                problem=f"model {model.name!r} has no class {name!r}; its classes are {', '.join(model.classes)}",
                hint="use a model of the mid's direction",
            )
            for name in ("up", "down")
            if name not in model.classes
        )
        if len(model.expected_move_bps) != len(model.classes):
            moves, classes = len(model.expected_move_bps), len(model.classes)
            problem = f"model {model.name!r} states {moves} expected moves for {classes} classes"
            faults.append(Fault(key="use", problem=problem, hint="measure the expected move of every class"))
        if self.sizing == "kelly":
            if not model.variance_bps2 > 0:
                problem = (
                    f"model {model.name!r} states a variance of {model.variance_bps2:g} bps^2, and Kelly sizing divides by it"
                )
                hint = 'measure variance_bps2 out of sample, or choose sizing = "volatility"'
                faults.append(Fault(key="sizing", problem=problem, hint=hint))
            return faults
        if not self.volatility_column or self.volatility_target is None:
            problem = "volatility sizing needs volatility_column and volatility_target"
            faults.append(Fault(key="sizing", problem=problem, hint="name a feature's column, and the target in its unit"))
        elif self.volatility_column not in columns:
            problem = f"rows have no column {self.volatility_column!r}; they have {', '.join(columns)}"
            faults.append(Fault(key="volatility_column", problem=problem, hint="name a column of the rows"))
        return faults

    def start(self, view: LaneView) -> None:
        """Find the classes by name. Raises ConfigError where settings and model do not go together."""
        if view.model is None:
            raise ConfigError(Fault(key="use", problem="the strategy needs a model", hint="give the lane a model"))
        faults = self.check(view.model, (self.volatility_column,))  # the rows' own columns were checked before the session
        if faults:
            raise ConfigError(*faults)
        model = view.model
        self._up = model.classes.index("up")
        self._down = model.classes.index("down")
        self._moves = model.expected_move_bps
        self._variance = model.variance_bps2
        self._capital = float(view.capital)
        horizon = int(self.horizon_ms * 1e6) if self.horizon_ms is not None else model.horizon_ns
        self._exits = Exits(
            stop_loss_bps=self.stop_loss_bps,
            take_profit_bps=self.take_profit_bps,
            horizon_ns=horizon if self.horizon_exit else None,
        )
        self._fees: dict[int, float] = {}
        self._lots: dict[int, Lots] = {}

    def on_prediction(self, prediction: Prediction, view: LaneView) -> Intent | None:
        index = prediction.instrument
        held = view.position(index).quantity
        working = view.working(index)
        outputs = prediction.outputs
        expected = sum([p * move for p, move in zip(outputs, self._moves, strict=True)])
        direction = 1 if expected > 0 else -1
        top = view.top(index)
        if top.bid_quantity > 0 and top.ask_quantity > 0:
            edge = abs(expected) - self._costs(index, top, view)
            likely = outputs[self._up if direction > 0 else self._down]
            if likely >= self.enter and edge > self.min_edge_bps:
                if held * direction > 0 or working * direction > 0:
                    return None  # already there, or on the way
                intent = self._enter(prediction, view, direction=direction, edge=edge, top=top)
                if intent is not None:
                    return intent
        if held or working:
            side = held or working
            if outputs[self._up if side > 0 else self._down] < self.exit:
                return Intent(instrument=index, target=0, cause="exit", prediction=prediction)
        return None

    def _enter(self, prediction: Prediction, view: LaneView, *, direction: int, edge: float, top: Top) -> Intent | None:
        index = prediction.instrument
        instrument = view.instrument(index)
        if direction < 0 and instrument.kind is InstrumentKind.SPOT:
            return None
        make = self.order == "make"
        take_price = top.ask if direction > 0 else top.bid
        join_price = top.bid if direction > 0 else top.ask
        price = join_price if make else take_price
        lots = self._lots.get(index)
        if lots is None:
            lots = self._lots[index] = Lots(instrument)
        quantity = lots.quantity(self._notional(index, edge, view), price)
        if not quantity:
            return None
        return Intent(
            instrument=index,
            target=direction * quantity,
            order_type=OrderType.LIMIT if make else OrderType.MARKET,
            price=price if make else None,
            time_in_force=TimeInForce.GTC if make else TimeInForce.IOC,
            post_only=make,
            exits=self._exits,
            cause="enter",
            edge_bps=edge,
            prediction=prediction,
        )

    def _notional(self, index: int, edge: float, view: LaneView) -> float:
        if self.sizing == "kelly":
            return kelly_notional(
                edge_bps=edge,
                variance_bps2=self._variance,
                fraction=self.kelly_fraction,
                cap=self.cap,
                capital=self._capital,
            )
        volatility = view.feature(index, self.volatility_column)
        target = self.volatility_target or math.nan
        return volatility_notional(target=target, volatility=volatility, cap=self.cap, capital=self._capital)

    def _costs(self, index: int, top: Top, view: LaneView) -> float:
        """Fees and half-spreads in bps of the mid, for the way in and (round_trip) the way out, which always takes."""
        fees = self._fees.get(index)
        if fees is None:
            fees = self._fees[index] = self._fees_bps(index, view)
        half_spread = (top.ask - top.bid) / (top.ask + top.bid) * 1e4
        crossings = (self.order == "take") + (self.costs == "round_trip")
        return fees + crossings * half_spread

    def _fees_bps(self, index: int, view: LaneView) -> float:
        instrument = view.instrument(index)
        taker = float(instrument.taker_fee) * 1e4 if self.assume_fees_bps is None else self.assume_fees_bps
        maker = float(instrument.maker_fee) * 1e4 if self.assume_fees_bps is None else self.assume_fees_bps
        entry = maker if self.order == "make" else taker
        return entry + taker if self.costs == "round_trip" else entry
