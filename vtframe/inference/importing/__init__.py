"""Making bundles of other people's model files: converted in a process of its own, checked against the original, measured."""
