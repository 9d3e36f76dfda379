"""The parts in the box. They enter through the hooks, from this list, like a stranger's."""

PLUGINS = (
    "vtframe.builtin.binance.hooks",
    "vtframe.builtin.recorded.hooks",
    "vtframe.builtin.imports.hooks",
    "vtframe.builtin.market.hooks",
    "vtframe.builtin.features.hooks",
    "vtframe.builtin.strategies.hooks",
    "vtframe.builtin.risk.hooks",
    "vtframe.builtin.paper.hooks",
    "vtframe.builtin.parquet.hooks",
    "vtframe.builtin.ensemble.hooks",
)
