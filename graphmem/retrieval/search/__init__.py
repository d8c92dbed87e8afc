"""Graph search in bounded time: spreading activation, personalised PageRank and the array kernels below them."""
