//! Pruning strategies: who proposes them, and what of a budget is within reach. Pure arithmetic on the graph's cost model.
