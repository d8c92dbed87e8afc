"""Results of operations on sets, and what is computed with the values of their members: sums and differences."""
