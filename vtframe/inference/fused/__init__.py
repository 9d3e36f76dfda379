"""Models compiled into the features' kernel: a graph of operators becomes one function from a window of rows to the outputs."""
