"""One foreign library a file. Each is imported only when it is used."""
