"""The gate between a strategy and a venue: nothing reaches an adapter that did not pass it, and a broken check is a refusal."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from vtframe.api import ApprovedOrder, RiskContext, RiskPolicy
from vtframe.api.execution import _GATE
from vtframe.domain import Denied, SubmitOrder
from vtframe.errors import PluginError

Notes = tuple[str, ...]

_SKIPPED = ("reduces exposure: policies skipped",)


class Gate:
    """Policies in order, in one context: a lane's own limits, or the account's.

    The first denial settles it. Orders that reduce exposure pass unseen: a failing or exhausted policy never blocks a
    stop-loss. Whether an order reduces is for the lane to say, which knows what it holds and what is already working.
    """

    def __init__(self, policies: Sequence[RiskPolicy], context: RiskContext) -> None:
        self._reviews = tuple((type(policy).name, policy.review) for policy in policies)
        self._policies = tuple(policies)
        self._context = context

    def rehearsal(self, context: RiskContext) -> Gate:
        """A gate of the same policies, those that leave no trace, for orders in ``context`` that are never sent."""
        return Gate([policy for policy in self._policies if policy.pure], context)

    def start(self) -> None:
        """Start every policy once; one that cannot start stops the session, before the first order."""
        for policy in self._policies:
            try:
                policy.start(self._context)
            except Exception as e:
                raise PluginError(type(policy).name, f"the risk policy cannot start: {e!r}") from e

    def review(self, order: SubmitOrder, *, reduces: bool) -> tuple[ApprovedOrder | Denied, Notes]:
        """Approve ``order``, perhaps made smaller, or deny it with the first policy's reason; and what happened on the way."""
        verdict, notes = self.limit(order, reduces=reduces)
        if isinstance(verdict, Denied):
            return verdict, notes
        return ApprovedOrder(verdict, proof=_GATE), notes

    def limit(self, order: SubmitOrder, *, reduces: bool) -> tuple[SubmitOrder | Denied, Notes]:
        """As ``review``, for a gate that another one stands above: what passes here is not yet approved."""
        if reduces:
            return order, _SKIPPED
        notes: Notes = ()
        for name, review in self._reviews:
            try:
                verdict = review(order, self._context)
                problem = "" if isinstance(verdict, Denied) else self._problem(order, verdict)
            except Exception as e:  # noqa: BLE001 - fail closed: a broken check is a refusal
                return Denied(client_order_id=order.client_order_id, policy=name, reason=f"policy failed: {e!r}"), notes
            if isinstance(verdict, Denied):
                return verdict, notes
            if problem:
                return Denied(client_order_id=order.client_order_id, policy=name, reason=f"policy is broken: {problem}"), notes
            if verdict.quantity != order.quantity:
                notes += (f"{name}: quantity {order.quantity} made {verdict.quantity}",)
            order = verdict
        return order, notes

    def _problem(self, order: SubmitOrder, verdict: object) -> str:
        """What a policy did that it must not; empty where all is well."""
        if verdict is order:
            return ""
        if not isinstance(verdict, SubmitOrder):
            return f"it answered {type(verdict).__name__}, expected SubmitOrder or Denied"
        if msgspec.structs.replace(verdict, quantity=order.quantity) != order:
            return "it changed more than the quantity"
        if verdict.quantity > order.quantity:
            return f"it enlarged the quantity from {order.quantity} to {verdict.quantity}"
        if verdict.quantity <= 0:
            return f"it made the quantity {verdict.quantity}; a policy that leaves nothing must deny"
        lot = self._context.instrument(order.instrument).lot_size
        if verdict.quantity % lot:
            return f"it made the quantity {verdict.quantity}, which is not a multiple of the lot size {lot}"
        return ""
